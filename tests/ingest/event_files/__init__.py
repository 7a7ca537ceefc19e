"""Tests of lens_perf.ingest.event_files."""

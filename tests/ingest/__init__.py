"""Tests of lens_perf.ingest."""

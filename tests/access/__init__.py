"""Tests of lens_perf.access."""

"""Tests of lens_perf.watch."""

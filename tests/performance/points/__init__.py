"""Tests of lens_perf.performance.points."""

"""Tests of lens_perf.performance.sampling."""

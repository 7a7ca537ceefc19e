"""Tests of lens_perf.serving."""

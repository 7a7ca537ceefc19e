"""Tests of lens_perf.demo."""

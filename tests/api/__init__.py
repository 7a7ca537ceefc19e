"""Tests of lens_perf.api."""

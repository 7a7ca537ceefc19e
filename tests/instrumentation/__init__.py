"""Tests of lens_perf.instrumentation."""

"""Tests of lens_perf.clusters."""

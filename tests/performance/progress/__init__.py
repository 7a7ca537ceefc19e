"""Tests of a workload's progress, from arrays of records to judged states."""

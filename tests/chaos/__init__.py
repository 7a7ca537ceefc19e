"""Faults made for real against a whole service: python -m tests.chaos, or make chaos."""

"""Reads the table and computes responses."""

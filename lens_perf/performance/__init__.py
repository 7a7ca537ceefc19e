"""Reads the table of a cluster and computes responses."""

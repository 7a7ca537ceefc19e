"""Runs every code block of the documentation."""

"""Readers of what training frameworks write, and the writer that stores their records."""

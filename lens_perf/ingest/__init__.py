"""Readers of the files of training frameworks, and the writer that stores their records."""

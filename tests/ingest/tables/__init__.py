"""Tests of tables: CSV and JSON lines."""

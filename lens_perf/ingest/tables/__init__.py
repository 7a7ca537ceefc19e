"""Readers of tables of metrics from any program: CSV and JSON lines, with one row for each report of an iteration."""

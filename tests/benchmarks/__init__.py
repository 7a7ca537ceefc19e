"""What the service costs on top of PostgreSQL, measured side by side: ``python -m tests.benchmarks``."""

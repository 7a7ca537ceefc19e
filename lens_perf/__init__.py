"""lens_perf serves the Training Performance API over many PostgreSQL clusters."""

__version__ = "0.1.0"

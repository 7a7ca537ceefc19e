"""Real faults against a complete service: ``python -m tests.chaos``, or ``make chaos``."""

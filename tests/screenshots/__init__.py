"""Screenshots of the dashboard in each of its states: ``make screenshots``."""

"""The progress of a workload: facts computed from its records, and rules that interpret them at the current time."""

"""Progress of a workload: facts computed from its records, and the rules that judge them by the clock."""

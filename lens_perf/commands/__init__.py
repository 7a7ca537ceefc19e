"""The commands of ``lens-perf`` that are more than a few lines, and what all commands share."""

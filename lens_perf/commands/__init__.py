"""The larger commands of ``lens-perf``, and the parts that all commands share."""

"""Finds the changes in a workload since it was last read: checkpoints, cursors, ETags, and their statements.

docs/architecture.rst has the rules.
"""

"""The columnar copy of a workload: parts, a manifest, and what brings both up to date with the table.

polars and numpy start threads: nothing may import this package before gunicorn has forked its workers.
"""

"""The columnar copy of a workload: its parts, its manifest, and the code that brings both up to date.

polars and numpy start threads, so this package must not be imported before gunicorn has forked its workers.
"""

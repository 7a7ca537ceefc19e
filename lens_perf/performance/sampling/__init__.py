"""Downsampling of series: M4 over the blocks of a columnar copy."""

"""Tests of checkpoints, cursors and ETags without a database."""

"""Tests of the reader of Weights & Biases files."""

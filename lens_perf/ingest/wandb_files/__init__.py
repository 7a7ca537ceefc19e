"""Reads files of Weights & Biases: those of a run, and exported charts."""

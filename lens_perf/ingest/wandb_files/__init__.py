"""Reads what Weights & Biases leaves: the files of a run, and the charts that its page exports."""

"""Watches workloads and posts events: changes of state, non-finite metrics, loss spikes."""

"""Watches workloads and posts what people should know: changes of state, metrics that are not finite, loss spikes."""

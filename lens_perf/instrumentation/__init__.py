"""What the service tells of itself: metrics for Prometheus, timings of a request, log lines. Knows nothing of Flask."""

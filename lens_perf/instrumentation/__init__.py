"""The service's own instrumentation: Prometheus metrics, timings of requests, log lines. Independent of Flask."""

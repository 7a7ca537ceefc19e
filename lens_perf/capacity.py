"""What one instance may take: threads and connections, by its settings, and the bodies of requests."""

import os

from lens_perf.config import Settings

# gunicorn's own event loop, its two threads for probes, the watchdog, the prober and the pools' janitor.
FURTHER_THREADS = 6
# Bytes of a request's body: some 5,000 names of metrics.
LARGEST_BODY = 128 * 2**10
WORKERS_VARIABLE = "WEB_CONCURRENCY"
USUAL_WORKERS = "2"


def count_workers() -> int:
    """Return how many worker processes gunicorn runs, as config/gunicorn.conf.py decides it."""
    return int(os.environ.get(WORKERS_VARIABLE, USUAL_WORKERS))


def count_tasks(settings: Settings, workers: int) -> int:
    """Return how many tasks, as systemd and cgroups count processes and threads, one instance may have."""
    return 1 + workers * (settings.http.threads + settings.limits.cluster_threads + FURTHER_THREADS)


def count_connections(settings: Settings, workers: int) -> int:
    """Return how many connections one instance may keep open to a cluster."""
    return workers * settings.pool.size

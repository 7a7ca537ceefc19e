"""The limits of one instance: threads and connections, from its settings, and the size of request bodies."""

import os

from lens_perf.errors import ConfigError
from lens_perf.settings import Settings

# gunicorn's own event loop, its two threads for probes, the watchdog, the prober and the pools' janitor.
EXTRA_THREADS = 6
# Maximum bytes of a request body: about 5,000 names of metrics.
LARGEST_BODY = 128 * 2**10
WORKERS_VARIABLE = "WEB_CONCURRENCY"
USUAL_WORKERS = "2"


def count_workers() -> int:
    """Return the number of worker processes that gunicorn runs with config/gunicorn.conf.py. Raises ConfigError."""
    text = os.environ.get(WORKERS_VARIABLE, USUAL_WORKERS)
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ConfigError(f"{WORKERS_VARIABLE}: expected a whole number of at least 1: gunicorn's worker processes")
    return int(text)


def count_tasks(settings: Settings, workers: int) -> int:
    """Return the maximum number of processes and threads of one instance, which systemd and cgroups count as tasks."""
    return 1 + workers * (settings.http.threads + settings.limits.cluster_threads + EXTRA_THREADS)


def count_connections(settings: Settings, workers: int) -> int:
    """Return the maximum number of connections of one instance to a cluster."""
    return workers * settings.pool.size

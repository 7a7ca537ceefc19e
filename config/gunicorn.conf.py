"""gunicorn's settings for lens_perf; give the address on the command line: gunicorn -b 127.0.0.1:8080."""

import os
import sys
from logging.config import dictConfig

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from lens_perf.access.addresses import find_objection
from lens_perf.config import load_settings
from lens_perf.errors import ConfigError
from lens_perf.instrumentation import request_log, shared_memory, shared_values

# Made by the master, inherited by its workers: whichever is asked for /metrics shows the numbers of all.
metrics_memory = shared_memory.open_shared_memory()

# gunicorn's own status for a server that cannot start.
REFUSED = 3

# A request waits for a database far more than it computes: threads for the waiting, processes for computing. This is
# gthread, but a request that is still arriving holds no thread, and probes have threads of their own.
worker_class = "lens_perf.serving.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("LENS_PERF_HTTP_THREADS", "8"))

# Loading before the fork shares memory; no connection is open by then, each worker opens its own.
preload_app = True

# The longest request line gunicorn can allow: hundreds of metric names. More go into the body of a POST.
limit_request_line = 8190

# Longer than nginx keeps its upstream connections, so that the side that closes first is never the one that answers.
keepalive = 75

# A worker told to stop finishes what it has begun: limits.deadline_seconds (30), and the waits before it.
graceful_timeout = 35

# Nothing but requests is served: no control socket.
control_socket_disable = True

# Who stands in front is the service's own setting, http.trusted_proxies: no header is believed here, whoever sends it.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# One JSON object a line: the service writes one for each request, on stdout; gunicorn's own words go to stderr.
accesslog = None


class JsonLogger(Logger):
    """gunicorn's own words as JSON. With logconfig_dict it would compose an access line for each request, unread."""

    def setup(self, cfg: Config) -> None:
        """Take the handlers of gunicorn's settings, then ours in their place."""
        super().setup(cfg)
        dictConfig(request_log.log_settings())


logger_class = JsonLogger


def pre_fork(_server: object, worker: Worker) -> None:
    """Reserve a place for the worker's metrics."""
    worker.metrics_slot = metrics_memory.take()


def post_fork(_server: object, worker: Worker) -> None:
    """Share metrics, and let threads take turns ten times as often: a small answer need not wait behind a large one."""
    shared_values.join(metrics_memory, worker.metrics_slot)
    sys.setswitchinterval(0.0005)


def child_exit(_server: object, worker: Worker) -> None:
    """Keep what the worker counted, and free its place."""
    if worker.metrics_slot is not None:
        metrics_memory.retire(worker.metrics_slot)


def on_starting(server: Arbiter) -> None:
    """Refuse addresses that others reach while there are no tokens."""
    try:
        objection = find_objection(server.cfg.address, load_settings())
    except ConfigError:
        return  # told when the application is loaded
    if objection:
        sys.stderr.write(f"lens_perf: {objection}\n")
        sys.exit(REFUSED)

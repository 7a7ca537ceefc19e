"""gunicorn's settings for lens_perf; give the address on the command line: gunicorn -b 127.0.0.1:8080."""

import gc
import sys
from logging.config import dictConfig

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from lens_perf.access.addresses import find_objection
from lens_perf.capacity import count_workers
from lens_perf.config import load_settings
from lens_perf.errors import ConfigError
from lens_perf.instrumentation import request_log, shared_memory, shared_values
from lens_perf.serving.worker import load_http_settings

# Allocated by the master and inherited by its workers: each worker's /metrics shows the sums.
metrics_memory = shared_memory.open_shared_memory()

# gunicorn's own status for a server that cannot start.
REFUSED = 3


def read_workers() -> int:
    """Return WEB_CONCURRENCY. If it is below 1, the process ends with one line; gunicorn itself refuses other texts."""
    try:
        return count_workers()
    except ConfigError as error:
        sys.stderr.write(f"lens_perf: {error.message}\n")
        sys.exit(REFUSED)


# Requests wait for databases more than they compute: threads for waiting, processes for computing. This is gthread, but
# a request that is still arriving occupies no thread, and probes have their own threads.
worker_class = "lens_perf.serving.worker.Worker"
workers = read_workers()
threads = load_http_settings().threads

# Loading before the fork shares memory; connections are opened later, by each worker.
preload_app = True

# The longest request line that gunicorn allows: hundreds of metric names. Longer lists fit into the body of a POST.
limit_request_line = 8190

# Longer than nginx keeps upstream connections, so that gunicorn never closes one on which a request arrives.
keepalive = 75

# A stopping worker finishes its requests: limits.deadline_seconds (30) plus waiting.
graceful_timeout = 35

# No control socket.
control_socket_disable = True

# The service's own setting http.trusted_proxies decides which headers to trust: gunicorn trusts none.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# One JSON object per line: the service logs requests to stdout; gunicorn's own messages go to stderr.
accesslog = None


class JsonLogger(Logger):
    """gunicorn's own words as JSON. With logconfig_dict it would compose an access line for each request, unread."""

    def setup(self, cfg: Config) -> None:
        """Take the handlers of gunicorn's settings, then ours in their place."""
        super().setup(cfg)
        dictConfig(request_log.log_settings())


logger_class = JsonLogger


def pre_fork(_server: object, worker: Worker) -> None:
    """Reserve a place for the worker's metrics, and exclude all objects from garbage collections of the worker."""
    worker.metrics_slot = metrics_memory.take()
    gc.collect()
    gc.freeze()


def post_fork(_server: object, worker: Worker) -> None:
    """Share metrics, and let threads take turns ten times as often: a small answer need not wait behind a large one."""
    shared_values.join(metrics_memory, worker.metrics_slot)
    sys.setswitchinterval(0.0005)


def child_exit(_server: object, worker: Worker) -> None:
    """Keep what the worker counted, and free its place."""
    if worker.metrics_slot is not None:
        metrics_memory.retire(worker.metrics_slot)


def on_reload(server: Arbiter) -> None:
    """Log that a reload, which replaces the workers, does not read the settings again."""
    server.log.info("the workers are replaced with the same settings; restart to apply changed ones")


def on_starting(server: Arbiter) -> None:
    """Refuse addresses that others reach while there are no tokens."""
    try:
        objection = find_objection(server.cfg.address, load_settings())
    except ConfigError:
        return  # reported when the application is loaded
    if objection:
        sys.stderr.write(f"lens_perf: {objection}\n")
        sys.exit(REFUSED)

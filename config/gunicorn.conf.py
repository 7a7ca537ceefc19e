"""gunicorn's settings for lens_perf; give the address on the command line: gunicorn -b 127.0.0.1:8080."""

import os

# A request waits for a database far more than it computes: threads for the waiting, processes for the computing.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("LENS_PERF_HTTP_THREADS", "8"))

# Loading before the fork shares memory; no connection is open by then, each worker opens its own.
preload_app = True

# The longest request line gunicorn can allow: hundreds of metric names. Beyond, it answers by itself, in HTML.
limit_request_line = 8190

# Longer than nginx keeps its upstream connections, so that the side that closes first is never the one that answers.
keepalive = 75

# Nothing but requests is served: no control socket.
control_socket_disable = True

accesslog = "-"

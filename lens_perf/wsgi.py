"""The WSGI application for the settings in LENS_PERF_CONFIG; invalid settings end the process with one line."""

import sys

from lens_perf.app import create_app
from lens_perf.errors import ConfigError

# gunicorn's status for a worker that cannot boot: it stops the server instead of restarting workers forever.
WORKER_BOOT_ERROR = 3

try:
    app = create_app()
except ConfigError as error:
    sys.stderr.write(f"lens_perf: {error.message}\n")
    sys.exit(WORKER_BOOT_ERROR)

"""The WSGI application, made of the settings that LENS_PERF_CONFIG names; bad settings end in one line."""

import sys

from lens_perf.app import create_app
from lens_perf.errors import ConfigError

# gunicorn's own status for a worker that cannot boot: it stops the server instead of starting workers for ever.
WORKER_BOOT_ERROR = 3

try:
    app = create_app()
except ConfigError as error:
    sys.stderr.write(f"lens_perf: {error.message}\n")
    sys.exit(WORKER_BOOT_ERROR)

"""The WSGI entry point: ``LENS_PERF_CONFIG=lens_perf.toml gunicorn -c config/gunicorn.conf.py wsgi:app``."""

from lens_perf.wsgi import app

__all__ = ["app"]

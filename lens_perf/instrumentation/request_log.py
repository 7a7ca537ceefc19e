"""Log lines: one JSON object each, pure ASCII without control characters, whatever a client sends.

The text of a query, of a header or of a body never gets here, but for a request id of a checked form.
"""

import json
import logging
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from lens_perf.instrumentation.timing import current_timings

REQUEST_LOGGER = "lens_perf.requests"
LONGEST_PATH = 512
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

_log = logging.getLogger(REQUEST_LOGGER)
_encode_ascii = json.JSONEncoder(default=str, separators=(",", ":")).encode


class JsonFormatter(logging.Formatter):
    """Writes a record, the ``fields`` it came with and the id of the request it was made in."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``."""
        line = {
            "time": _format_time(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        timings = current_timings()
        if timings is not None and timings.request_id is not None:
            line["request_id"] = timings.request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


def choose_request_id(given: str | None) -> str:
    """Return the id that a client or a proxy gave, if it has the form of one, else a new one."""
    return given if given is not None and REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def bare_path(target: str) -> str:
    """Return the path of a request's target, without its query, which may hold what is nobody's business, cut short."""
    return target.partition("?")[0].partition("#")[0][:LONGEST_PATH]


def log_request(fields: Mapping[str, Any]) -> None:
    """Write the line of an answered request."""
    # Without Logger.info's search for the caller's line, which takes a quarter of the time of it all.
    if _log.isEnabledFor(logging.INFO):
        record = _log.makeRecord(_log.name, logging.INFO, "", 0, "request", (), None, extra={"fields": fields})
        _log.handle(record)


def log_settings() -> dict[str, Any]:
    """Return the settings of the logging module: requests go to stdout, all else, gunicorn's words too, to stderr."""
    streams = {"requests": "ext://sys.stdout", "events": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.JsonFormatter"}},
        "handlers": {
            name: {"class": "logging.StreamHandler", "formatter": "json", "stream": stream}
            for name, stream in streams.items()
        },
        "root": {"level": "INFO", "handlers": ["events"]},
        "loggers": {
            REQUEST_LOGGER: {"level": "INFO", "handlers": ["requests"], "propagate": False},
            "gunicorn.error": {"handlers": ["events"], "propagate": False},
        },
    }


def _encode(line: Mapping[str, Any]) -> str:
    """Return JSON of printable ASCII alone. orjson, ten times as fast, does for what is ASCII anyway: most lines."""
    try:
        text = orjson.dumps(line, default=str).decode()
    except TypeError:  # half a surrogate pair
        text = _encode_ascii(line)
    if not text.isascii():
        text = _encode_ascii(line)
    # Of ASCII's control characters, neither escapes this one.
    return text.replace("\x7f", "\\u007f")


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

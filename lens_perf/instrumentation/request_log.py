"""Log lines: one JSON object each, in ASCII without control characters, whatever a client sends.

Query strings, headers and bodies are never logged, except a valid request id.
"""

import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from random import getrandbits
from typing import Any

import orjson

from lens_perf.instrumentation.timing import current_timings

REQUEST_LOGGER = "lens_perf.requests"
LONGEST_PATH = 512
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

_log = logging.getLogger(REQUEST_LOGGER)
_encode_ascii = json.JSONEncoder(default=str, separators=(",", ":")).encode


class JsonFormatter(logging.Formatter):
    """Formats a record with its ``fields`` and the id of its request."""

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
    """Return the id from a client or proxy if it is valid, else a new one, which is no secret."""
    return given if given is not None and REQUEST_ID.fullmatch(given) else f"{getrandbits(128):032x}"


def bare_path(target: str) -> str:
    """Return the path of a request's target, truncated, without the query string, which may contain secrets."""
    return target.partition("?")[0].partition("#")[0][:LONGEST_PATH]


class RequestRecord(logging.LogRecord):
    """The record of a request: ``fields``, without a place in the code and a thread, which cost more than its line."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.__dict__.update(_COMMON)
        self.created = time.time()
        self.fields = fields


_COMMON = {
    **vars(logging.LogRecord(REQUEST_LOGGER, logging.INFO, "", 0, "request", None, None)),
    **dict.fromkeys(("thread", "threadName", "process", "processName")),
}


def log_request(fields: Mapping[str, Any]) -> None:
    """Write the log line of a request."""
    if _log.isEnabledFor(logging.INFO):
        _log.handle(RequestRecord(fields))


def log_settings() -> dict[str, Any]:
    """Return the settings of the logging module: requests to stdout, everything else, including gunicorn, to stderr."""
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
    """Return JSON in printable ASCII. orjson is ten times as fast and sufficient for most lines, which are ASCII."""
    try:
        text = orjson.dumps(line, default=str).decode()
    except TypeError:  # an unpaired surrogate
        text = _encode_ascii(line)
    if not text.isascii():
        text = _encode_ascii(line)
    # Neither encoder escapes this control character.
    return text.replace("\x7f", "\\u007f")


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

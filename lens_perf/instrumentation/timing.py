"""Timings and other facts of a request, for its ``Server-Timing`` header and its log line.

They are kept in a context variable, so that lower layers do not depend on the web. Outside a request, and in threads
that a request starts, the functions do nothing.
"""

from contextvars import ContextVar
from time import perf_counter
from types import TracebackType
from typing import Literal, Self

Phase = Literal["auth", "pool", "query"]


class Timings:
    """The timings of one request: its phases in seconds, and facts for its log line."""

    __slots__ = ("phases", "request_id", "rows", "started", "streamed", "token")

    def __init__(self) -> None:
        self.started = perf_counter()
        self.phases = {"auth": 0.0, "pool": 0.0, "query": 0.0}
        self.request_id: str | None = None
        self.token: str | None = None
        self.rows = 0
        self.streamed = 0

    def elapsed(self) -> float:
        """Return the seconds since the request began."""
        return perf_counter() - self.started

    def split(self, total: float) -> dict[str, float]:
        """Return the phases of a request of ``total`` seconds, in milliseconds; the remainder is ``render``."""
        split = {name: round(seconds * 1000, 2) for name, seconds in self.phases.items()}
        split["render"] = round(max(0.0, total - sum(self.phases.values())) * 1000, 2)
        return split


_current: ContextVar[Timings | None] = ContextVar("lens_perf_timings", default=None)


def start_timings() -> Timings:
    """Start the timings of a request and make them current."""
    timings = Timings()
    _current.set(timings)
    return timings


def current_timings() -> Timings | None:
    """Return the timings of the current request, or None."""
    return _current.get()


def end_timings() -> None:
    """Reset the current timings at the end of a request."""
    _current.set(None)


def note_token(name: str) -> None:
    """Note the name of the request's token, never the secret."""
    timings = _current.get()
    if timings is not None:
        timings.token = name


def note_rows(count: int) -> None:
    """Note the number of data points in the response."""
    timings = _current.get()
    if timings is not None:
        timings.rows += count


def note_streamed(size: int) -> None:
    """Note the size of a body that is sent without ``Content-Length``."""
    timings = _current.get()
    if timings is not None:
        timings.streamed = size


class phase:  # noqa: N801 - used as with phase("query")
    """Adds the time of its block to a phase of the current request.

    A class, because contextlib's generator takes three times as long.
    """

    __slots__ = ("_name", "_started", "_timings")

    def __init__(self, name: Phase) -> None:
        self._name = name

    def __enter__(self) -> Self:
        self._timings = _current.get()
        self._started = perf_counter()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._timings is not None:
            self._timings.phases[self._name] += perf_counter() - self._started

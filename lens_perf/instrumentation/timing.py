"""How long the parts of a request take, and what else is learnt of it on the way, for its header and its log line.

Kept in a context variable, so that what lies below the web needs to know nothing of it. Outside a request, and in
threads that a request starts, everything here does nothing.
"""

from contextvars import ContextVar
from time import perf_counter
from types import TracebackType
from typing import Literal, Self

Phase = Literal["auth", "pool", "query"]


class Timings:
    """The times of one request: its phases in seconds, and what its log line will say of it."""

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
        """Return the phases of a request of ``total`` seconds, in milliseconds; what is in no phase is ``render``."""
        rest = max(0.0, total - sum(self.phases.values()))
        return {name: round(seconds * 1000, 2) for name, seconds in (*self.phases.items(), ("render", rest))}


_current: ContextVar[Timings | None] = ContextVar("lens_perf_timings", default=None)


def start_timings() -> Timings:
    """Begin the timings of a request, which are the current ones from here on."""
    timings = Timings()
    _current.set(timings)
    return timings


def current_timings() -> Timings | None:
    """Return the timings of the request at work here, if there is one."""
    return _current.get()


def end_timings() -> None:
    """Forget the current timings: the thread goes on to something else."""
    _current.set(None)


def note_token(name: str) -> None:
    """Tell which token the request came with: its name, never the secret."""
    timings = _current.get()
    if timings is not None:
        timings.token = name


def note_rows(count: int) -> None:
    """Tell how many data points the answer holds."""
    timings = _current.get()
    if timings is not None:
        timings.rows += count


def note_streamed(size: int) -> None:
    """Tell the size of a body of which the answer itself will not say how long it is."""
    timings = _current.get()
    if timings is not None:
        timings.streamed = size


class phase:  # noqa: N801 - reads as the statement it is used in: with phase("query")
    """Adds the time its block takes to a phase of the current request.

    A class, because contextlib's generator costs three times as much.
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

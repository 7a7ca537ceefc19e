"""Runs a stage of some work in a thread of its own, which takes a piece while the caller makes the next one."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from lens_perf.errors import NO_THREAD, ClusterSaturatedError

Piece = TypeVar("Piece")


class Stage(Generic[Piece]):
    """``take`` gets pieces in a thread of its own, one after the other; at most one piece is on its way.

    To be used as a context manager, which ends when everything has been taken. What ``take`` raises goes through, with
    the next piece or at the end.
    """

    def __init__(self, take: Callable[[Piece], None]) -> None:
        self._take = take
        self._thread = ThreadPoolExecutor(1, "lens_perf-stage")
        self._taking: Future[None] | None = None

    def put(self, piece: Piece) -> None:
        """Give ``piece`` to the thread. Raises ClusterSaturatedError if none can be started."""
        if not self.offer(piece):
            raise ClusterSaturatedError(NO_THREAD)

    def offer(self, piece: Piece) -> bool:
        """Wait for the piece before, and give ``piece`` to the thread; return False if none can be started."""
        self.wait()
        try:
            self._taking = self._thread.submit(self._take, piece)
        except RuntimeError:  # the limit of tasks, or of memory
            return False
        return True

    def wait(self) -> None:
        """Wait until everything has been taken."""
        if self._taking is not None:
            taking, self._taking = self._taking, None
            taking.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._thread.shutdown()

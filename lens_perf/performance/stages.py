"""Runs one stage of a pipeline in a thread: it processes a piece while the caller produces the next one."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

from lens_perf.errors import NO_THREAD, ClusterSaturatedError

Piece = TypeVar("Piece")


class Stage(Generic[Piece]):
    """Calls ``take`` for each piece in a separate thread, one after another. At most one piece is in progress.

    Use it as a context manager, which waits for the last piece. Exceptions of ``take`` are raised by the next call or
    at the end of the context.
    """

    def __init__(self, take: Callable[[Piece], None]) -> None:
        self._take = take
        self._thread = ThreadPoolExecutor(1, "lens_perf-stage")
        self._taking: Future[None] | None = None

    def put(self, piece: Piece) -> None:
        """Pass ``piece`` to the thread. Raises ClusterSaturatedError if no thread can be started."""
        if not self.offer(piece):
            raise ClusterSaturatedError(NO_THREAD)

    def offer(self, piece: Piece) -> bool:
        """Wait for the previous piece, and pass ``piece`` to the thread; return False if no thread can be started."""
        self.wait()
        try:
            self._taking = self._thread.submit(self._take, piece)
        except RuntimeError:  # the limit of threads or of memory is reached
            return False
        return True

    def process_here(self, piece: Piece) -> None:
        """Wait for the previous piece, and process ``piece`` in this thread, which has nothing else to do."""
        self.wait()
        self._take(piece)

    def wait(self) -> None:
        """Wait until the last piece has been processed."""
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

"""The thread of a guard: it looks while there is something to guard, and is started again if it is found dead."""

import logging
import threading
from collections.abc import Callable

from lens_perf.errors import ClusterSaturatedError
from lens_perf.instrumentation import metrics

log = logging.getLogger(__name__)

NO_THREAD = "The service has no thread to spare; try again in a moment"
LOOKS_BEFORE_SLEEP = 50


class GuardThread:
    """Calls ``look`` every ``seconds`` for as long as it returns True, then sleeps until it is woken.

    It sleeps only after ``LOOKS_BEFORE_SLEEP`` idle looks: to wake it for every query would cost a short one a tenth of
    its time.
    """

    def __init__(self, name: metrics.Guard, seconds: float, look: Callable[[], bool]) -> None:
        self._name = name
        self._seconds = seconds
        self._look = look
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._sleeps = False

    def wake(self) -> None:
        """Make sure that the thread looks from now on.

        Raises ClusterSaturatedError if it does not run and cannot be started; the next call tries again.
        """
        with self._changed:
            # No thread survives a fork, nor an error of its own.
            if self._thread is None or not self._thread.is_alive():
                self._start()
            elif self._sleeps:
                self._changed.notify()

    def _start(self) -> None:
        if self._thread is not None:
            log.error("guard %s: the thread has ended; starting it again", self._name)
            metrics.count_guard_failure(self._name)
        thread = threading.Thread(target=self._run, name=f"lens_perf-{self._name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the limit of tasks, or of memory
            log.error("guard %s: the thread cannot be started", self._name)  # noqa: TRY400 - the trace says no more
            metrics.count_guard_failure(self._name)
            raise ClusterSaturatedError(NO_THREAD) from None
        self._thread = thread

    def _run(self) -> None:
        metrics.set_guard_running(self._name, is_running=True)
        try:
            self._look_for_ever()
        finally:
            metrics.set_guard_running(self._name, is_running=False)

    def _look_for_ever(self) -> None:
        idle_looks = 0
        while True:
            idle_looks = 0 if self._look_safely() else idle_looks + 1
            with self._changed:
                self._sleeps = idle_looks >= LOOKS_BEFORE_SLEEP
                self._changed.wait(None if self._sleeps else self._seconds)
                self._sleeps = False

    def _look_safely(self) -> bool:
        """Look once; an error costs one look, not the guard."""
        try:
            return self._look()
        except Exception:
            log.exception("guard %s: a look failed", self._name)
            metrics.count_guard_failure(self._name)
            return True

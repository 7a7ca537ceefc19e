"""The thread of a guard: runs a check at intervals while there is work, and is restarted if it has died."""

import logging
import threading
from collections.abc import Callable

from lens_perf.errors import NO_THREAD, ClusterSaturatedError
from lens_perf.instrumentation import metrics

log = logging.getLogger(__name__)

CHECKS_BEFORE_SLEEP = 50


class GuardThread:
    """Calls ``check`` every ``seconds`` while it returns True, then sleeps until it is woken.

    It sleeps only after ``CHECKS_BEFORE_SLEEP`` idle checks, because waking it for every query would add a tenth to the
    time of a short one.
    """

    def __init__(self, name: metrics.Guard, seconds: float, check: Callable[[], bool]) -> None:
        self._name = name
        self._seconds = seconds
        self._check = check
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._sleeps = False

    def wake(self) -> None:
        """Make the thread run its checks.

        Raises ClusterSaturatedError if the thread is not running and cannot be started; the next call tries again.
        """
        with self._changed:
            # Threads do not survive a fork.
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
            self._check_forever()
        finally:
            metrics.set_guard_running(self._name, is_running=False)

    def _check_forever(self) -> None:
        idle_checks = 0
        while True:
            idle_checks = 0 if self._check_safely() else idle_checks + 1
            with self._changed:
                self._sleeps = idle_checks >= CHECKS_BEFORE_SLEEP
                self._changed.wait(None if self._sleeps else self._seconds)
                self._sleeps = False

    def _check_safely(self) -> bool:
        """Check once; an error must not end the guard."""
        try:
            return self._check()
        except Exception:
            log.exception("guard %s: a check failed", self._name)
            metrics.count_guard_failure(self._name)
            return True

"""The breaker of one cluster: after failed dials, answers at once that it is away, until a probe finds it again."""

import logging
import os
import threading
from collections.abc import Callable

from lens_perf.errors import ClusterUnreachableError
from lens_perf.instrumentation import metrics

log = logging.getLogger(__name__)

# One failure may be chance.
FAILURES_TO_OPEN = 2
PROBE_SECONDS = 1.0
# A dial that fails within this time is no burden on the request that made it.
QUICK_SECONDS = 0.05

CLOSED, OPEN = "closed", "open"


class Breaker:
    """Counts failed dials in a row; while open, a thread probes once a second and ends with the first success.

    A request as the probe would be one that waits: the thread keeps every request quick.
    """

    def __init__(self, cluster: str, probe: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._probe = probe
        self._lock = threading.Lock()
        self._failures = 0
        self._is_slow = False
        self._prober_of: int | None = None

    @property
    def state(self) -> str:
        """``"closed"``, as it should be, or ``"open"``."""
        return OPEN if self._failures >= FAILURES_TO_OPEN else CLOSED

    def check(self) -> None:
        """Raise ClusterUnreachableError if the breaker is open and a dial would take its time to fail.

        A server that refuses at once, as one that restarts, costs a request nothing, and answers the moment it is up.
        """
        if self._failures >= FAILURES_TO_OPEN and self._is_slow:
            self._start_prober()
            metrics.count_refusal(self._cluster, "breaker")
            raise ClusterUnreachableError(f"Cluster {self._cluster} cannot be reached now; try again later")

    def note_failure(self, seconds: float) -> None:
        """Count a dial that failed after ``seconds``."""
        with self._lock:
            self._failures += 1
            self._is_slow = seconds > QUICK_SECONDS
            opens = self._failures == FAILURES_TO_OPEN
        if opens:
            log.warning("cluster %s: away, asked once a second until it is back", self._cluster)
            metrics.set_breaker_open(self._cluster, is_open=True)
            self._start_prober()

    def note_success(self) -> None:
        """Count a dial that succeeded: the cluster is there."""
        if self._failures == 0:
            return
        with self._lock:
            was_open, self._failures = self.state == OPEN, 0
        if was_open:
            log.warning("cluster %s: back", self._cluster)
            metrics.set_breaker_open(self._cluster, is_open=False)

    def _start_prober(self) -> None:
        """Start the probing thread unless this process has it: a thread does not survive a fork."""
        with self._lock:
            if self._prober_of == os.getpid():
                return
            self._prober_of = os.getpid()
        threading.Thread(target=self._run_prober, name=f"lens_perf-probe-{self._cluster}", daemon=True).start()

    def _run_prober(self) -> None:
        pause = threading.Event()
        while self.state == OPEN:
            pause.wait(PROBE_SECONDS)
            if self.state == OPEN and self._probe():
                self.note_success()
        with self._lock:
            self._prober_of = None

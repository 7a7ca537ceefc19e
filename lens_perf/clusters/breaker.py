"""The circuit breaker of one cluster: opens after failed connections, closes when a probe succeeds."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from lens_perf.clusters.prober import Prober
from lens_perf.errors import ClusterSaturatedError, ClusterUnreachableError
from lens_perf.instrumentation import metrics

log = logging.getLogger(__name__)

# A single failure can be a coincidence.
FAILURES_TO_OPEN = 2
# A connection that fails this fast does not slow a request down.
QUICK_SECONDS = 0.05

CLOSED, OPEN = "closed", "open"


class Breaker:
    """Counts consecutive failures to connect; while it is open, ``prober`` calls ``connect`` until that succeeds."""

    def __init__(self, cluster: str, connect: Callable[[], bool], prober: Prober) -> None:
        self._cluster = cluster
        self._connect = connect
        self._prober = prober
        self._lock = threading.Lock()
        self._failures = 0
        self._is_slow = False

    @property
    def is_open(self) -> bool:
        """Whether enough connections in a row have failed."""
        return self._failures >= FAILURES_TO_OPEN

    @property
    def state(self) -> str:
        """``"closed"`` in normal operation, else ``"open"``."""
        return OPEN if self.is_open else CLOSED

    def check(self) -> None:
        """Raise ClusterUnreachableError if the breaker is open and connecting would fail slowly.

        While a server restarts, connections fail at once: trying costs nothing and succeeds as soon as the server is
        up.
        """
        if self.is_open and self._is_slow:
            self._watch()
            metrics.count_refusal(self._cluster, "breaker")
            raise ClusterUnreachableError(f"Cluster {self._cluster} cannot be reached now; try again later")

    def note_failure(self, seconds: float) -> None:
        """Count a failure to connect that took ``seconds``."""
        with self._lock:
            self._failures += 1
            self._is_slow = seconds > QUICK_SECONDS
            opens = self._failures == FAILURES_TO_OPEN
        if opens:
            log.warning("cluster %s: circuit breaker open; probing every second", self._cluster)
            metrics.set_breaker_open(self._cluster, is_open=True)
            self._watch()

    def note_success(self) -> None:
        """Reset the count after a successful connection."""
        if self._failures == 0:
            return
        with self._lock:
            was_open, self._failures = self.is_open, 0
        if was_open:
            log.warning("cluster %s: circuit breaker closed", self._cluster)
            metrics.set_breaker_open(self._cluster, is_open=False)

    def probe(self, _name: str) -> None:
        """Connect once; close the breaker if that succeeds."""
        if self.is_open and self._connect():
            self.note_success()

    def _watch(self) -> None:
        """Start probing the cluster. If no thread can be started, the next request tries again."""
        with suppress(ClusterSaturatedError):
            self._prober.watch(self._cluster, self)

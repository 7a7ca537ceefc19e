"""The breaker of one cluster: after failures to connect, refuses requests at once until a probe succeeds."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from lens_perf.clusters.prober import Prober
from lens_perf.errors import ClusterSaturatedError, ClusterUnreachableError
from lens_perf.instrumentation import metrics

log = logging.getLogger(__name__)

# One failure may be chance.
FAILURES_TO_OPEN = 2
# To connect and fail within this time is no burden on the request.
QUICK_SECONDS = 0.05

CLOSED, OPEN = "closed", "open"


class Breaker:
    """Counts failures to connect in a row; while it is open, ``prober`` calls ``connect`` until that succeeds."""

    def __init__(self, cluster: str, connect: Callable[[], bool], prober: Prober) -> None:
        self._cluster = cluster
        self._connect = connect
        self._prober = prober
        self._lock = threading.Lock()
        self._failures = 0
        self._is_slow = False

    @property
    def is_open(self) -> bool:
        """Whether the cluster is known not to answer."""
        return self._failures >= FAILURES_TO_OPEN

    @property
    def state(self) -> str:
        """``"closed"``, as it should be, or ``"open"``."""
        return OPEN if self.is_open else CLOSED

    def check(self) -> None:
        """Raise ClusterUnreachableError if the breaker is open and to connect would take its time to fail.

        A server that refuses at once, as one that restarts, costs a request nothing, and answers the moment it is up.
        """
        if self.is_open and self._is_slow:
            self._watch()
            metrics.count_refusal(self._cluster, "breaker")
            raise ClusterUnreachableError(f"Cluster {self._cluster} cannot be reached now; try again later")

    def note_failure(self, seconds: float) -> None:
        """Count a connection that could not be made in ``seconds``."""
        with self._lock:
            self._failures += 1
            self._is_slow = seconds > QUICK_SECONDS
            opens = self._failures == FAILURES_TO_OPEN
        if opens:
            log.warning("cluster %s: does not answer; probed once a second until it does", self._cluster)
            metrics.set_breaker_open(self._cluster, is_open=True)
            self._watch()

    def note_success(self) -> None:
        """Count a connection that was made: the cluster answers."""
        if self._failures == 0:
            return
        with self._lock:
            was_open, self._failures = self.is_open, 0
        if was_open:
            log.warning("cluster %s: answers again", self._cluster)
            metrics.set_breaker_open(self._cluster, is_open=False)

    def probe(self, _name: str) -> None:
        """Connect once; close the breaker if that succeeds."""
        if self.is_open and self._connect():
            self.note_success()

    def _watch(self) -> None:
        """Have the cluster probed. Where no thread can be started, the next request tries again."""
        with suppress(ClusterSaturatedError):
            self._prober.watch(self._cluster, self)

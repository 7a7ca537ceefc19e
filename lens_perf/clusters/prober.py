"""Probes the clusters whose circuit breaker is open, once a second, until each answers."""

import threading
from typing import Protocol

from lens_perf.clusters.fan_out import FanOut
from lens_perf.clusters.guard_thread import GuardThread
from lens_perf.errors import ClusterSaturatedError
from lens_perf.instrumentation import metrics

PROBE_SECONDS = 1.0


class Lost(Protocol):
    """The prober's view of a circuit breaker."""

    @property
    def is_open(self) -> bool:
        """Whether the breaker is open."""

    def probe(self, name: str, /) -> None:
        """Try to connect to cluster ``name``, and close the breaker if that succeeds."""


class Prober:
    """Probes clusters in the threads of ``fan_out``, so that the number of threads does not depend on their number."""

    def __init__(self, fan_out: FanOut) -> None:
        self._fan_out = fan_out
        self._lock = threading.Lock()
        self._lost: dict[str, Lost] = {}
        self._thread = GuardThread("prober", PROBE_SECONDS, self._check)

    def watch(self, name: str, lost: Lost) -> None:
        """Probe cluster ``name`` until it answers. Raises ClusterSaturatedError if no thread can be started."""
        with self._lock:
            self._lost[name] = lost
        self._thread.wake()

    def _check(self) -> bool:
        with self._lock:
            self._lost = {name: lost for name, lost in self._lost.items() if lost.is_open}
            lost = dict(self._lost)
        for name, breaker in lost.items():
            try:
                self._fan_out.submit("probe", name, breaker.probe)
            except ClusterSaturatedError:
                metrics.count_guard_failure("prober")
        return bool(lost)

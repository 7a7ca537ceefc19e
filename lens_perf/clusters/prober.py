"""Asks after the clusters whose breaker is open, once a second, until each answers again."""

import threading
from typing import Protocol

from lens_perf.clusters.fan_out import FanOut
from lens_perf.clusters.guard_thread import GuardThread
from lens_perf.errors import ClusterSaturatedError
from lens_perf.instrumentation import metrics

PROBE_SECONDS = 1.0


class Lost(Protocol):
    """A cluster that does not answer: what the prober needs of its breaker."""

    @property
    def is_open(self) -> bool:
        """Whether the cluster is still lost."""

    def probe(self, name: str, /) -> None:
        """Try to connect to cluster ``name``, and close the breaker if that succeeds."""


class Prober:
    """Probes lost clusters from the threads of ``fan_out``: the number of threads does not grow with theirs.

    A request as the probe would be one that waits: so every request stays quick.
    """

    def __init__(self, fan_out: FanOut) -> None:
        self._fan_out = fan_out
        self._lock = threading.Lock()
        self._lost: dict[str, Lost] = {}
        self._thread = GuardThread("prober", PROBE_SECONDS, self._look)

    def watch(self, name: str, lost: Lost) -> None:
        """Probe cluster ``name`` until it answers. Raises ClusterSaturatedError if no thread can be started."""
        with self._lock:
            self._lost[name] = lost
        self._thread.wake()

    def _look(self) -> bool:
        with self._lock:
            self._lost = {name: lost for name, lost in self._lost.items() if lost.is_open}
            lost = dict(self._lost)
        for name, breaker in lost.items():
            try:
                self._fan_out.submit("probe", name, breaker.probe)
            except ClusterSaturatedError:
                metrics.count_guard_failure("prober")
        return bool(lost)

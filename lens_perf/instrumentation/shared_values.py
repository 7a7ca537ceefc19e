"""The values of prometheus_client's metrics: this process's own, and in a worker a copy in shared memory."""

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from lens_perf.instrumentation.shared_memory import SharedMemory, Slot

log = logging.getLogger(__name__)

# What a scrape shows instead of this process's own values.
_shown: ContextVar[dict[bytes, float] | None] = ContextVar("lens_perf_shown_numbers", default=None)


class SharedValue:
    """A value of a metric, with the interface of ``prometheus_client.values.ValueClass``."""

    _multiprocess = False

    def __init__(
        self,
        _kind: str,
        metric_name: str,
        name: str,
        _label_names: Sequence[str],
        label_values: Sequence[str],
        _help_text: str,
        multiprocess_mode: str = "",
        **_rest: Any,
    ) -> None:
        self.key = json.dumps([metric_name, name, *label_values], separators=(",", ":")).encode()
        self.key = multiprocess_mode.encode() + self.key
        self._lock = threading.Lock()
        self._number = 0.0
        self._slot: Slot | None = None
        self._place = 0
        _state.add(self)

    def inc(self, amount: float) -> None:
        """Add ``amount``."""
        with self._lock:
            self._store(self._number + amount)

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Replace the value, measured at ``timestamp`` if that is needed."""
        with self._lock:
            self._store(float(value), timestamp)

    def get(self) -> float:
        """Return the value, or that of all processes within ``show_all``."""
        shown = _shown.get()
        return self._number if shown is None else shown.get(self.key, 0.0)

    def set_exemplar(self, exemplar: object) -> None:
        """Do nothing: there are no exemplars."""

    def get_exemplar(self) -> None:
        """Return None: there are no exemplars."""

    def share(self, slot: Slot) -> None:
        """Start at 0 in the slot of this process; if the slot is full, keep the value in this process only."""
        with self._lock:
            place = slot.place(self.key)
            self._number = 0.0
            self._slot, self._place = (None, 0) if place is None else (slot, place)
        if place is None:
            log.error("no room to share the metric %s with the other processes", self.key.decode())

    def _store(self, number: float, set_at: float | None = None) -> None:
        self._number = number
        if self._slot is not None:
            self._slot.write(self._place, number, set_at)


class _State:
    """This process's values, and the slot it writes to if there is one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values: list[SharedValue] = []
        self.memory: SharedMemory | None = None
        self.slot: Slot | None = None

    def add(self, value: SharedValue) -> None:
        with self.lock:
            self.values.append(value)
            slot = self.slot
        if slot is not None:
            value.share(slot)


_state = _State()


def join(memory: SharedMemory, index: int | None) -> None:
    """Count in slot ``index`` of ``memory`` from now on. Called in a new worker."""
    if index is None:
        log.error("no room to share metrics with the other processes: /metrics of this one shows only its own")
        return
    _state.memory, _state.slot = memory, memory.slots[index]
    for value in _state.values:
        value.share(_state.slot)


def joined_memory() -> SharedMemory | None:
    """Return the memory that this process has joined, or None."""
    return _state.memory


@contextmanager
def show_all(memory: SharedMemory) -> Iterator[list[list[str]]]:
    """Within the block, every value is that of all processes; yields [metric, name, label values...] of each."""
    merged = memory.merge()
    token = _shown.set(merged)
    try:
        yield [json.loads(key[key.index(b"[") :]) for key in merged]
    finally:
        _shown.reset(token)

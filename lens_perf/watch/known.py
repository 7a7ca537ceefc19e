"""The state file: what was known of each workload at the last check, and events that wait to be posted."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lens_perf.errors import ConfigError

VERSION = 1
# Beyond these numbers of workloads and events, the oldest are dropped.
MOST_WORKLOADS = 10_000
MOST_EVENTS = 1_000


@dataclass
class Known:
    """A workload at the last check: its state, its non-finite metrics, and up to where its losses were examined."""

    state: str | None = None
    last_timestamp: int | None = None
    non_finite: list[str] = field(default_factory=list)
    judged_until: int | None = None
    attempt: int | None = None


@dataclass
class Memory:
    """The content of the state file: workloads by cluster and uid, and waiting events by webhook."""

    workloads: dict[str, Known] = field(default_factory=dict)
    pending: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def remember(self, cluster: str, workload_uid: str, known: Known) -> None:
        """Store a workload as the most recent."""
        key = _key(cluster, workload_uid)
        self.workloads.pop(key, None)
        self.workloads[key] = known
        while len(self.workloads) > MOST_WORKLOADS:
            del self.workloads[next(iter(self.workloads))]

    def recall(self, cluster: str, workload_uid: str) -> Known | None:
        """Return what is known of a workload, or None."""
        return self.workloads.get(_key(cluster, workload_uid))

    def queue(self, webhook: str, events: list[dict[str, Any]]) -> None:
        """Add ``events`` to those that wait for a webhook."""
        self.pending[webhook] = [*self.pending.get(webhook, []), *events][-MOST_EVENTS:]


def _key(cluster: str, workload_uid: str) -> str:
    return json.dumps([cluster, workload_uid], ensure_ascii=False)


class StateFile:
    """The file of a Memory. Only one process uses it at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Lock the file during the block. Raises ConfigError if another process uses it, or locking fails."""
        lock_path = self._path.with_name(f"{self._path.name}.lock")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"The state file {self._path} cannot be written: {error.strerror}") from None
        with os.fdopen(descriptor) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"Another lens-perf watch uses {self._path}; --state names another file"
                raise ConfigError(message) from None
            yield

    def load(self) -> Memory:
        """Return the saved Memory, or an empty one if the file is missing or invalid."""
        try:
            written = json.loads(self._path.read_text("utf-8"))
            return _parse(written)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return Memory()

    def save(self, memory: Memory) -> None:
        """Replace the file atomically. Raises ConfigError if that fails."""
        written = {
            "version": VERSION,
            "workloads": {key: asdict(known) for key, known in memory.workloads.items()},
            "pending": memory.pending,
        }
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            new.write_text(json.dumps(written, ensure_ascii=False), "utf-8")
            new.replace(self._path)
        except OSError as error:
            raise ConfigError(f"The state file {self._path} cannot be written: {error.strerror}") from None


def _parse(written: Mapping[str, Any]) -> Memory:
    if written["version"] != VERSION:
        return Memory()
    workloads = {key: Known(**known) for key, known in written["workloads"].items()}
    return Memory(workloads, {name: list(events) for name, events in written["pending"].items()})

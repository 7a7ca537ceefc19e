"""Stores a copy for this process only, in unnamed temporary files, while the directory cannot be used."""

import os
import secrets
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lens_perf.performance.columns.directory_store import write_all
from lens_perf.performance.columns.manifest import Manifest, Part
from lens_perf.performance.columns.part_files import DamagedPartError, PartFile


@dataclass
class PrivateStore:
    """Stores a copy in unnamed files.

    ``reserve`` is called before a part is written, with its size and the resulting size of the copy in bytes.
    """

    reserve: Callable[[int, int], None]
    used_at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    _manifest: Manifest | None = None
    _share: float | None = None

    def __post_init__(self) -> None:
        weakref.finalize(self, _close_all, self._parts)

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(size for _, size in list(self._parts.values()))

    @contextmanager
    def hold(self, wait_until: float) -> Iterator[bool]:
        """Hold the lock for writing. Yield False if another thread holds it until ``wait_until``."""
        held = self._lock.acquire(timeout=max(0.0, wait_until - time.monotonic()))
        try:
            yield held
        finally:
            if held:
                self._share = None
                self._lock.release()

    def load(self) -> Manifest | None:
        """Return the newest manifest, None if there is none."""
        self.used_at = time.monotonic()
        return self._manifest

    def load_strictly(self) -> Manifest | None:
        """Return the newest manifest, None if there is none."""
        return self.load()

    def open_part(self, part: Part) -> PartFile:
        """Open a part. Raises DamagedPartError."""
        with self._guard:
            if part.name not in self._parts:
                raise DamagedPartError
            descriptor = os.dup(self._parts[part.name][0])
        return PartFile(descriptor, part.size)

    def write_part(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Write a part; return its name and its size in bytes. Raises OSError and the exceptions of ``reserve``."""
        content = list(chunks)
        size = sum(map(len, content))
        self.reserve(size, self.size + size)
        name = secrets.token_hex(8)
        self._parts[name] = _write_unnamed(content), size
        return name, size

    def publish(self, manifest: Manifest) -> None:
        """Replace the manifest, and remove the parts that it does not name."""
        self._manifest = manifest
        kept = {part.name for part in manifest.parts}
        self.discard([name for name in self._parts if name not in kept])

    def discard(self, parts: Iterable[str]) -> None:
        """Remove parts that are not in a manifest. They remain readable for those who have opened them."""
        with self._guard:
            for name in parts:
                descriptor, _ = self._parts.pop(name)
                os.close(descriptor)

    def write_progress(self, share: float) -> None:
        """Store the share of the build that is done, from 0 to 1, for waiting requests."""
        self._share = share

    def read_progress(self) -> float | None:
        """Return the share of the current build that is done, from 0 to 1; None if there is no build."""
        return self._share

    def remove(self) -> None:
        """Remove the copy."""
        self._manifest = None
        self.discard(list(self._parts))

    def remove_if_free(self) -> bool:
        """Remove the copy unless a thread holds the lock; return whether it was removed."""
        with self.hold(0.0) as held:
            if held:
                self.remove()
            return held


def _close_all(parts: Mapping[str, tuple[int, int]]) -> None:
    for descriptor, _ in parts.values():
        os.close(descriptor)


def _write_unnamed(content: Iterable[bytes]) -> int:
    """Return the descriptor of a new file with ``content``: on disk, or in memory if that fails. Raises OSError."""
    try:
        with tempfile.TemporaryFile(buffering=0) as file:
            descriptor = os.dup(file.fileno())
    except OSError:
        descriptor = os.memfd_create("lens_perf-part")
    try:
        for chunk in content:
            write_all(descriptor, chunk)
    except OSError:
        os.close(descriptor)
        descriptor = os.memfd_create("lens_perf-part")
        for chunk in content:
            write_all(descriptor, chunk)
    return descriptor

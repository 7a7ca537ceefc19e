"""A copy of this process alone, for as long as no directory can be used: each part an unnamed temporary file."""

import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lens_perf.performance.columns.directory_store import write_all
from lens_perf.performance.columns.manifest import Manifest, Part
from lens_perf.performance.columns.part_files import DamagedPartError, PartFile


@dataclass
class PrivateStore:
    """Keeps a copy in files without a name; ``reserve`` gets the number of bytes before they are written."""

    reserve: Callable[[int], None]
    used_at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    _manifest: Manifest | None = None
    _share: float | None = None

    @property
    def size(self) -> int:
        """The bytes of all its files."""
        return sum(size for _, size in list(self._parts.values()))

    @contextmanager
    def hold(self, wait_until: float) -> Iterator[bool]:
        """Keep other threads from writing; yields False where one of them still does at ``wait_until``."""
        held = self._lock.acquire(timeout=max(0.0, wait_until - time.monotonic()))
        try:
            yield held
        finally:
            if held:
                self._share = None
                self._lock.release()

    def load(self) -> Manifest | None:
        """Return the newest manifest, None where there is none."""
        self.used_at = time.monotonic()
        return self._manifest

    def open_part(self, part: Part) -> PartFile:
        """Open a part. Raises DamagedPartError."""
        with self._guard:
            if part.name not in self._parts:
                raise DamagedPartError
            descriptor = os.dup(self._parts[part.name][0])
        return PartFile(descriptor, part.size)

    def write_part(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Write a part, and return its name and size."""
        content = list(chunks)
        size = sum(map(len, content))
        self.reserve(size)
        name = secrets.token_hex(8)
        self._parts[name] = _write_unnamed(content), size
        return name, size

    def publish(self, manifest: Manifest) -> None:
        """Replace the manifest, and remove the parts that it does not name."""
        self._manifest = manifest
        kept = {part.name for part in manifest.parts}
        self.discard([name for name in self._parts if name not in kept])

    def discard(self, parts: Iterable[str]) -> None:
        """Remove parts that no manifest names; a reader has opened its own."""
        with self._guard:
            for name in parts:
                descriptor, _ = self._parts.pop(name)
                os.close(descriptor)

    def write_progress(self, share: float) -> None:
        """Show others which share of a build is done."""
        self._share = share

    def read_progress(self) -> float | None:
        """Return the share of the build under way that is done, if it is known."""
        return self._share

    def remove(self) -> None:
        """Remove the copy."""
        self._manifest = None
        self.discard(list(self._parts))


def _write_unnamed(content: Iterable[bytes]) -> int:
    """Return the descriptor of a new file that holds ``content``: on disk, or in memory where the disk is full."""
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

"""The interface to the storage of a copy: a directory, or unnamed temporary files of this process."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from lens_perf.performance.columns.manifest import Manifest, Part
from lens_perf.performance.columns.part_files import PartFile


class Store(Protocol):
    """Stores one copy. Only the holder of its lock writes to it. Methods that write raise OSError."""

    def hold(self, wait_until: float) -> AbstractContextManager[bool]:
        """Hold the lock for writing. Yield False if another thread or process holds it until ``wait_until``.

        ``wait_until`` is a time of ``time.monotonic``.
        """

    def load(self) -> Manifest | None:
        """Return the newest manifest, None if there is none or if it cannot be read."""

    def load_strictly(self) -> Manifest | None:
        """Return the newest manifest, None if there is none. Raises UnreadableManifestError."""

    def open_part(self, part: Part) -> PartFile:
        """Open a part. Raises DamagedPartError."""

    def write_part(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Write a part; return its name and size in bytes. Raises ResultTooLargeError if a limit is exceeded."""

    def publish(self, manifest: Manifest) -> None:
        """Replace the manifest, and remove the parts that it does not name."""

    def discard(self, parts: Iterable[str]) -> None:
        """Remove parts that are not in a manifest."""

    def write_progress(self, share: float) -> None:
        """Store the share of the build that is done, from 0 to 1, for waiting requests."""

    def read_progress(self) -> float | None:
        """Return the share of the current build that is done, from 0 to 1; None if there is no build."""

    def remove(self) -> None:
        """Remove the copy."""

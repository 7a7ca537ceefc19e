"""What keeps the files of one copy: a directory, or unnamed temporary files of this process."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from lens_perf.performance.columns.manifest import Manifest, Part
from lens_perf.performance.columns.part_files import PartFile


class Store(Protocol):
    """Keeps one copy; only who holds it writes to it. What cannot be written raises OSError."""

    def hold(self, wait_until: float) -> AbstractContextManager[bool]:
        """Keep all others from writing; yields False where one of them still does at ``wait_until``."""

    def load(self) -> Manifest | None:
        """Return the newest manifest, None where there is none that can be read."""

    def open_part(self, part: Part) -> PartFile:
        """Open a part. Raises DamagedPartError."""

    def write_part(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Write a part, and return its name and size."""

    def publish(self, manifest: Manifest) -> None:
        """Replace the manifest, and remove the parts that it does not name."""

    def discard(self, parts: Iterable[str]) -> None:
        """Remove parts that no manifest names."""

    def write_progress(self, share: float) -> None:
        """Show others which share of a build is done, between 0 and 1."""

    def read_progress(self) -> float | None:
        """Return the share of the build under way that is done, if it is known."""

    def remove(self) -> None:
        """Remove the copy."""

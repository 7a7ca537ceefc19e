"""Caches recently used manifests, so that loading an unchanged one takes a single stat call."""

import threading
from pathlib import Path

from cachetools import LRUCache

from lens_perf.performance.columns.manifest import Manifest
from lens_perf.performance.columns.part_files import DamagedPartError

# The maximum number of FieldStats in all cached manifests. Each takes about a kilobyte.
MOST_FIELDS = 20_000

# Inode, time of the last status change in nanoseconds, size in bytes. While they are the same, so is the content.
Identity = tuple[int, int, int]


class UnreadableManifestError(Exception):
    """A manifest is damaged, was written by another version of the service, or belongs to another copy."""


class ManifestCache:
    """An LRU cache of manifests by file. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._manifests = LRUCache[Path, tuple[Identity, Manifest]](MOST_FIELDS, _count_fields)

    def load(self, path: Path) -> Manifest | None:
        """Return the manifest in ``path``; None if the file is missing. Raises UnreadableManifestError."""
        try:
            identity = _identify(path)
            with self._lock:
                known = self._manifests.get(path)
            if known is not None and known[0] == identity:
                return known[1]
            manifest = Manifest.parse(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, DamagedPartError):
            raise UnreadableManifestError from None
        self._keep(path, identity, manifest)
        return manifest

    def store(self, path: Path, manifest: Manifest) -> None:
        """Add the manifest that has just been written to ``path``."""
        try:
            identity = _identify(path)
        except OSError:
            return
        self._keep(path, identity, manifest)

    def _keep(self, path: Path, identity: Identity, manifest: Manifest) -> None:
        with self._lock:
            self._manifests[path] = identity, manifest


def _count_fields(known: tuple[Identity, Manifest]) -> int:
    """Return the size of a manifest in the cache, at most MOST_FIELDS, so that the cache accepts every manifest."""
    return min(MOST_FIELDS, 1 + len(known[1].fields))


def _identify(path: Path) -> Identity:
    found = path.stat()
    return found.st_ino, found.st_ctime_ns, found.st_size

"""The manifests that this process has read lately, so that an unchanged one costs a stat."""

import threading
from pathlib import Path

from cachetools import LRUCache

from lens_perf.performance.columns.manifest import Manifest
from lens_perf.performance.columns.part_files import DamagedPartError

# Of statistics in all manifests kept; one takes about a kilobyte.
MOST_FIELDS = 20_000

# By what a file is recognised: inode, time of change, size.
Identity = tuple[int, int, int]


class ManifestCache:
    """Manifests by file; those used last are kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._manifests = LRUCache[Path, tuple[Identity, Manifest]](MOST_FIELDS, _count_fields)

    def load(self, path: Path) -> Manifest | None:
        """Return the manifest in ``path``, None where there is none, or none that can be read."""
        try:
            identity = _identify(path)
            with self._lock:
                known = self._manifests.get(path)
            if known is not None and known[0] == identity:
                return known[1]
            manifest = Manifest.parse(path.read_bytes())
        except (OSError, DamagedPartError):
            return None
        self._keep(path, identity, manifest)
        return manifest

    def store(self, path: Path, manifest: Manifest) -> None:
        """Keep a manifest that has just been written to ``path``."""
        try:
            identity = _identify(path)
        except OSError:
            return
        self._keep(path, identity, manifest)

    def _keep(self, path: Path, identity: Identity, manifest: Manifest) -> None:
        with self._lock:
            self._manifests[path] = identity, manifest


def _count_fields(known: tuple[Identity, Manifest]) -> int:
    """Return what a manifest counts; one of more fields than there is room for takes all of it."""
    return min(MOST_FIELDS, 1 + len(known[1].fields))


def _identify(path: Path) -> Identity:
    found = path.stat()
    return found.st_ino, found.st_ctime_ns, found.st_size

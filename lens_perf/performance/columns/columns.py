"""Opens the copies of workloads and brings them up to date; lists, verifies and drops copies."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from lens_perf.performance.columns.builds import Builds, make_not_ready
from lens_perf.performance.columns.command_errors import reports_faults
from lens_perf.performance.columns.directory_store import MANIFEST, DirectoryStore, check_directory, has_manifest
from lens_perf.performance.columns.manifest import CopyKey, Manifest
from lens_perf.performance.columns.manifest_cache import ManifestCache, UnreadableManifestError
from lens_perf.performance.columns.part_files import DamagedPartError
from lens_perf.performance.columns.part_index import PartIndexes
from lens_perf.performance.columns.private_copies import PrivateCopies
from lens_perf.performance.columns.source import Source
from lens_perf.performance.columns.stores import Store
from lens_perf.performance.columns.updating import CopyUpdater
from lens_perf.performance.columns.usage import Evictor, Use, list_uses, remove_copy
from lens_perf.performance.columns.verification import Comparison, compare
from lens_perf.performance.columns.workload_copy import WorkloadCopy
from lens_perf.settings import ColumnSettings

logger = logging.getLogger(__name__)

GIBIBYTE = 1024**3
# Seconds until a directory that could not be used is used again.
PAUSE_SECONDS = 10.0
TRIES = 3
# The path of the copies within a cache directory.
OWN_NAME = "lens_perf/columns"
Answer = TypeVar("Answer")


class CopyInfo(NamedTuple):
    """A copy in the directory: its size in bytes, and when it was last used, in seconds since 1970.

    ``manifest`` is None if the copy has none yet, because it is being built, and if the copy is unusable: the manifest
    is damaged or in another version's format.
    """

    directory: Path
    manifest: Manifest | None
    is_unusable: bool
    size: int
    used_at: float


class Columns:
    """The columnar copies of all workloads. Create one in each process, after the fork."""

    def __init__(self, settings: ColumnSettings) -> None:
        self._settings = settings
        self.root = find_directory(settings.directory)
        self._cache = ManifestCache()
        self._indexes = PartIndexes()
        self._private = PrivateCopies(settings.private_mib)
        self._updater = CopyUpdater(Builds(), settings.max_fields, settings.build_seconds)
        self._evictor = Evictor(self.root, int(settings.max_gib * GIBIBYTE))
        self._unusable_until = float("-inf") if settings.enabled else float("inf")

    def answer(self, key: CopyKey, source: Source, deadline: float, read: Callable[[WorkloadCopy], Answer]) -> Answer:
        """Bring the copy up to date, and return the result of ``read``. Rebuild a damaged copy, and read it again.

        ``deadline`` is a time of ``time.monotonic``. Raises CopyNotReadyError if the copy is not ready by then,
        DamagedPartError if the rebuilt copy is damaged too, and the exceptions of ``source`` and ``read``.
        """
        with self.open(key, source, deadline) as copy:
            try:
                return read(copy)
            except DamagedPartError:
                self._drop_damaged(self._choose_store(key), key, (copy.history, copy.generation))
        with self.open(key, source, deadline) as copy:
            return read(copy)

    @contextmanager
    def open(self, key: CopyKey, source: Source, deadline: float) -> Iterator[WorkloadCopy]:
        """Open the copy, with all changes that were committed before this call. Raises the exceptions of ``answer``."""
        yield self._open(key, source, deadline)

    def has(self, key: CopyKey, names: Collection[str] = ()) -> bool:
        """Return whether there is a copy, up to date or not, from which none of the fields ``names`` was left out."""
        # Every small read of a workload without a copy gets here, so the common case must be cheap.
        if time.monotonic() >= self._unusable_until and not has_manifest(self.root, key):
            return False
        manifest = self._updater.load(self._choose_store(key))
        return manifest is not None and not manifest.list_missing(names)

    def list(self) -> Iterator[CopyInfo]:
        """Yield the copies in the directory. Raises CopyDirectoryError."""
        with reports_faults(self.root):
            uses = list_uses(self.root) if check_directory(self.root) else ()
            for use in uses:
                yield self._describe(use)

    def _describe(self, use: Use) -> CopyInfo:
        try:
            manifest, is_unusable = self._cache.load(use.path / MANIFEST), False
        except UnreadableManifestError:
            manifest, is_unusable = None, True
        return CopyInfo(use.path, manifest, is_unusable, use.size, use.used_at)

    def list_keys(self, cluster: str, workload_uid: str, database: str | None) -> Sequence[CopyKey]:
        """Return the keys of the copies of a workload, whatever their database. Raises CopyDirectoryError.

        A copy without a readable manifest does not have its key: among these, only the one of ``database`` is found.
        """
        own = CopyKey(cluster, workload_uid, database or "")
        keys = {copy.directory.name: copy.manifest.key if copy.manifest else None for copy in self.list()}
        found = (own if name == own.digest else key for name, key in keys.items())
        return [key for key in found if key is not None and key[:2] == own[:2]]

    def drop(self, key: CopyKey) -> bool:
        """Remove a copy from the directory; return False if there is none, or if a process is writing to it.

        Raises CopyDirectoryError.
        """
        self._private.drop(key)
        with reports_faults(self.root):
            return check_directory(self.root) and remove_copy(self.root / key.digest)

    def verify(self, key: CopyKey, source: Source, deadline: float) -> Comparison | None:
        """Bring a copy up to date and compare it with the table; return None if there is no copy.

        Raises CopyDirectoryError, DamagedCopyError, the exceptions of ``source``, and CopyNotReadyError if another
        process is still writing to the copy at ``deadline``.
        """
        with reports_faults(self.root):
            return self._verify(key, source, deadline) if check_directory(self.root) else None

    def _verify(self, key: CopyKey, source: Source, deadline: float) -> Comparison | None:
        store = DirectoryStore(self.root, key, self._cache, self._indexes, self._evictor.reserve)
        if store.load_strictly() is None:
            return None
        with store.hold(deadline) as held:
            manifest = store.load_strictly()
            if not held:
                raise make_not_ready(store.read_progress())
            if manifest is None:
                return None
            refresher = self._updater.make_refresher(store, key, deadline)
            with source.open_snapshot(deadline, heavy=True) as snapshot:
                changes = snapshot.find_changes(manifest.checkpoint, compare=True)
                if not changes.unchanged:
                    manifest = refresher.refresh(snapshot, manifest, changes)
                return compare(refresher, snapshot, manifest, changes)

    def _open(self, key: CopyKey, source: Source, deadline: float) -> WorkloadCopy:
        for attempt in range(TRIES):
            store = self._choose_store(key)
            manifest = store.load()
            try:
                manifest = self._updater.bring_up_to_date(store, key, source, deadline)
                return self._open_parts(store, manifest)
            except DamagedPartError:
                # A part may be missing because a newer manifest does not name it; the next try loads that manifest.
                if manifest is not None:
                    self._drop_damaged(store, key, (manifest.history, manifest.generation))
            except OSError as error:
                self._report_unusable(error)
                if attempt == TRIES - 1 or not isinstance(store, DirectoryStore):
                    raise
        raise DamagedPartError

    def _choose_store(self, key: CopyKey) -> Store:
        if time.monotonic() >= self._unusable_until:
            try:
                check_directory(self.root)
                return DirectoryStore(self.root, key, self._cache, self._indexes, self._evictor.reserve)
            except OSError as error:
                self._report_unusable(error)
        return self._private.get(key)

    def _open_parts(self, store: Store, manifest: Manifest) -> WorkloadCopy:
        files = [store.open_part(part) for part in manifest.parts]
        if isinstance(store, DirectoryStore):
            store.touch()
            self._evictor.measure()
        return WorkloadCopy(manifest, files)

    def _drop_damaged(self, store: Store, key: CopyKey, state: tuple[str, int]) -> None:
        """Remove the copy unless another process has replaced it; if that fails, stop using the directory."""
        try:
            with store.hold(time.monotonic() + 1.0) as held:
                manifest = store.load()
                if held and manifest is not None and (manifest.history, manifest.generation) == state:
                    logger.warning(
                        "The copy of workload %s of cluster %s is damaged and will be rebuilt", key[1], key[0]
                    )
                    store.remove()
        except OSError as error:
            self._report_unusable(error)

    def _report_unusable(self, error: OSError) -> None:
        """Stop using the directory for PAUSE_SECONDS, and log the reason."""
        if self._unusable_until < time.monotonic() + PAUSE_SECONDS:
            self._unusable_until = time.monotonic() + PAUSE_SECONDS
            logger.warning(
                "The directory of copies %s cannot be used (%s): each process keeps its own copies, at most %d MiB",
                self.root, error.strerror, self._settings.private_mib,
            )  # fmt: skip


def find_directory(configured: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of copies: ``configured``, or in the cache of systemd or of the user, or in TMPDIR."""
    if configured is not None:
        return Path(configured)
    # systemd separates the paths of several directories in CacheDirectory= with colons.
    cache = environment.get("CACHE_DIRECTORY", "").partition(":")[0] or environment.get("XDG_CACHE_HOME")
    if cache:
        return Path(cache) / OWN_NAME
    home = environment.get("HOME")
    if home and os.access(home, os.W_OK):
        return Path(home) / ".cache" / OWN_NAME
    return Path(tempfile.gettempdir()) / f"lens_perf-{os.geteuid()}" / "columns"

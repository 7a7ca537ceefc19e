"""Brings a copy up to date for a request: few changes in its thread, many in the background."""

import logging
import time
from collections import deque
from dataclasses import dataclass, field, replace

from lens_perf.errors import DeadlineExceededError
from lens_perf.instrumentation import metrics
from lens_perf.performance.columns.builds import Builds, make_not_ready
from lens_perf.performance.columns.manifest import CopyKey, Manifest
from lens_perf.performance.columns.manifest_cache import UnreadableManifestError
from lens_perf.performance.columns.refresh import OutOfOrderError, Refresher
from lens_perf.performance.columns.source import Changes, Source, SourceSnapshot
from lens_perf.performance.columns.stores import Store

logger = logging.getLogger(__name__)

BUILD_LIMIT = "columns.build_seconds"
UNREADABLE = "The copy of workload %s of cluster %s was damaged or of another version and has been rebuilt"
# More new records than this are read in a background thread, like the first build.
MOST_INLINE = 5_000
# The minimum number of seconds between two writes of a checkpoint if no records have changed.
CHECKPOINT_SECONDS = 30.0
# The number of copies whose records are known to be stored out of order.
MOST_OUT_OF_ORDER = 1_000


@dataclass(frozen=True)
class CopyUpdater:
    """Finds the changes since the checkpoint of a copy, and applies them. A build takes at most ``build_seconds``.

    ``out_of_order`` has the copies whose next build does not try to read the records as they are stored.
    """

    builds: Builds
    max_fields: int
    build_seconds: float
    out_of_order: deque[CopyKey] = field(default_factory=lambda: deque(maxlen=MOST_OUT_OF_ORDER))

    def bring_up_to_date(self, store: Store, key: CopyKey, source: Source, deadline: float) -> Manifest:
        """Return a manifest with all changes that were committed before this call.

        Nothing is stored for a workload without records, so that requests for unknown ones do not fill the disk.

        ``deadline`` is a time of ``time.monotonic``. Raises CopyNotReadyError if the copy is not ready then, OSError,
        ResultTooLargeError, DamagedPartError, and the exceptions of ``source``.
        """
        while True:
            known, changes = self.load(store), None
            with source.open_snapshot(deadline, heavy=False) as snapshot:
                if known is not None:
                    changes = snapshot.find_changes(known.checkpoint)
                    current = self._apply(store, snapshot, known, changes, deadline)
                else:
                    current = None if snapshot.has_records() else Manifest(key, "", 0, "")
                if current is not None:
                    snapshot.observe()
                    return current
            if changes is not None and is_small(changes):
                self._wait(store, deadline)
            else:
                work = _Build(self, store, key, source)
                self.builds.run(key, work.run, deadline, store.read_progress)

    def load(self, store: Store) -> Manifest | None:
        """Return the newest manifest; None if there is none, or if it lacks fields that the present limit admits."""
        known = store.load()
        return None if known and known.left_out and known.most_fields < self.max_fields else known

    def _apply(
        self, store: Store, snapshot: SourceSnapshot, known: Manifest, changes: Changes, deadline: float
    ) -> Manifest | None:
        """Apply few changes, or none; return None if there are many, or if they are applied elsewhere."""
        if changes.unchanged:
            metrics.count_copy_hit(known.key.cluster)
            return self._keep_checkpoint(store, known, changes)
        if not is_small(changes):
            return None
        refresher = self.make_refresher(store, known.key, deadline, "limits.deadline_seconds")
        return self._refresh(refresher, snapshot, known, changes)

    def make_refresher(self, store: Store, key: CopyKey, deadline: float, setting: str = BUILD_LIMIT) -> Refresher:
        """Return a refresher that raises DeadlineExceededError at ``deadline``, which ``setting`` determines."""
        return Refresher(store, key, self.max_fields, lambda: check_deadline(deadline, setting))

    def _refresh(
        self, refresher: Refresher, snapshot: SourceSnapshot, known: Manifest, changes: Changes
    ) -> Manifest | None:
        """Apply few changes; return None if another thread or process is applying them or has applied them."""
        with refresher.store.hold(0.0) as held:
            current = refresher.store.load() if held else None
            if current is None or (current.history, current.generation) != (known.history, known.generation):
                return None
            started = time.monotonic()
            manifest = refresher.refresh(snapshot, known, changes)
            self.report_left_out(known, manifest)
            metrics.count_copy_refresh(refresher.key.cluster, time.monotonic() - started)
            return manifest

    def report_left_out(self, known: Manifest | None, manifest: Manifest) -> None:
        """Log that fields are left out of ``manifest``, unless some were left out of ``known``, the state before."""
        if manifest.left_out and not (known and known.left_out):
            logger.warning(
                "Workload %s of cluster %s has more than %d fields: its copy leaves some out; raise columns.max_fields",
                manifest.key.workload_uid, manifest.key.cluster, self.max_fields,
            )  # fmt: skip

    def _keep_checkpoint(self, store: Store, known: Manifest, changes: Changes) -> Manifest:
        """Write the newer checkpoint from time to time, to shorten the next search for changes."""
        # The clock may have been set back since.
        is_recent = 0 <= time.time() - known.written_at < CHECKPOINT_SECONDS and not changes.compared_all
        if changes.checkpoint == known.checkpoint or is_recent:
            return known
        with store.hold(0.0) as held:
            if held and store.load() is known:
                known = replace(known, checkpoint=changes.checkpoint, written_at=time.time())
                store.publish(known)
        return known

    def _wait(self, store: Store, deadline: float) -> None:
        with store.hold(deadline) as held:
            if not held:
                raise make_not_ready(store.read_progress())


@dataclass(frozen=True)
class _Build:
    """A build, which reads all records or many new ones in a background thread."""

    updater: CopyUpdater
    store: Store
    key: CopyKey
    source: Source

    def run(self) -> None:
        """Build the copy, unless another process has built it in the meantime. Raises as ``bring_up_to_date`` does."""
        started = time.monotonic()
        deadline = started + self.updater.build_seconds
        is_good = False
        try:
            with self.store.hold(deadline) as held:
                check_deadline(deadline if held else started)
                is_good = self._build(deadline)
        finally:
            metrics.count_copy_build(self.key.cluster, is_good, time.monotonic() - started)

    def _build(self, deadline: float) -> bool:
        known = self.updater.out_of_order
        try:
            self._read(deadline, as_stored=self.key not in known)
        except OutOfOrderError:
            known.append(self.key)
            self._read(deadline, as_stored=False)
        return True

    def _read(self, deadline: float, *, as_stored: bool) -> None:
        known = self.updater.load(self.store)
        with self.source.open_snapshot(deadline, heavy=True) as snapshot:
            changes = snapshot.find_changes(known.checkpoint if known else None)
            if known is None:
                changes = replace(changes, reset=True, unchanged=False)
            if not (changes.unchanged or is_small(changes)):
                refresher = self.updater.make_refresher(self.store, self.key, deadline)
                replaces_unreadable = is_unreadable(self.store)
                manifest = refresher.refresh(snapshot, known, changes, as_stored=as_stored)
                self.updater.report_left_out(known, manifest)
                if replaces_unreadable:
                    logger.warning(UNREADABLE, self.key.workload_uid, self.key.cluster)


def is_unreadable(store: Store) -> bool:
    """Return whether the copy has a manifest that is damaged or was written by another version."""
    try:
        store.load_strictly()
    except UnreadableManifestError:
        return True
    return False


def is_small(changes: Changes) -> bool:
    """Return whether ``changes`` are few enough to be applied in the request's thread."""
    return not changes.reset and len(changes.ids) <= MOST_INLINE


def check_deadline(deadline: float, setting: str = BUILD_LIMIT) -> None:
    """Raise DeadlineExceededError at or after ``deadline``, a time of ``time.monotonic``."""
    if time.monotonic() >= deadline:
        raise DeadlineExceededError(f"Reading the workload took longer than allowed: raise {setting}")

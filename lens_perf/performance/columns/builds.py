"""Runs builds of copies in background threads, at most one for each copy; requests wait until their deadlines."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lens_perf.errors import NO_THREAD, ClusterSaturatedError, CopyNotReadyError, DeadlineExceededError
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.performance.memory import release_memory

# After a build that exceeded its deadline, the next build of the copy begins this much later at the earliest.
PAUSE_SECONDS = 60.0


@dataclass
class Build:
    """A running build, or the result of a completed one. ``ended_at`` is a time of ``time.monotonic``."""

    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    ended_at: float = 0.0


class Builds:
    """The builds of this process. The first build starts the first thread, so nothing runs before a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._builds: dict[CopyKey, Build] = {}

    def run(
        self, key: CopyKey, work: Callable[[], None], deadline: float, read_progress: Callable[[], float | None]
    ) -> None:
        """Run ``work`` in a thread, or join the running build of the copy, and wait until it has ended.

        ``read_progress`` returns the share done, from 0 to 1. Raises the exceptions of ``work``, ClusterSaturatedError
        if no thread can be started, and CopyNotReadyError at ``deadline``, a time of ``time.monotonic``.
        """
        build = self._join(key, work)
        if not build.done.wait(max(0.0, deadline - time.monotonic())):
            raise make_not_ready(read_progress())
        if build.error is not None:
            raise build.error

    def _join(self, key: CopyKey, work: Callable[[], None]) -> Build:
        with self._lock:
            build = self._builds.get(key)
            if build is not None and (not build.done.is_set() or _must_pause(build)):
                return build
            self._forget_old()
            build = self._builds[key] = Build()
        thread = threading.Thread(target=self._work, args=(key, build, work), name="lens_perf-build", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the limit of threads or of memory is reached
            self._end(key, build, ClusterSaturatedError(NO_THREAD))
        return build

    def _work(self, key: CopyKey, build: Build, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._end(key, build, error)
        else:
            self._end(key, build, None)

    def _end(self, key: CopyKey, build: Build, error: BaseException | None) -> None:
        build.error = error
        release_memory()
        build.ended_at = time.monotonic()
        with self._lock:
            if self._builds.get(key) is build and not _must_pause(build):
                del self._builds[key]
        build.done.set()

    def _forget_old(self) -> None:
        for key, build in list(self._builds.items()):
            if build.done.is_set() and not _must_pause(build):
                del self._builds[key]


def _must_pause(build: Build) -> bool:
    is_late = isinstance(build.error, DeadlineExceededError)
    return is_late and time.monotonic() - build.ended_at < PAUSE_SECONDS


def make_not_ready(share: float | None) -> CopyNotReadyError:
    """Return the error for a request that cannot wait longer; ``share`` of the build is done, None if unknown."""
    done = "" if share is None else f": {share:.0%} done"
    return CopyNotReadyError(f"The workload is being read for the first time{done}; try again soon", share)

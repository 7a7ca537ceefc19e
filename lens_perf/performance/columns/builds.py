"""Builds copies in background threads, one for each copy at a time; requests wait for them within their deadlines."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lens_perf.errors import NO_THREAD, ClusterSaturatedError, CopyNotReadyError, DeadlineExceededError
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.performance.memory import release_memory

# After a build that took too long, the next one is not begun for so long.
PAUSE_SECONDS = 60.0


@dataclass
class Build:
    """A build under way, or one that ended so."""

    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    ended_at: float = 0.0


class Builds:
    """The builds of this process. Threads begin with the first build: nothing runs before a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._builds: dict[CopyKey, Build] = {}

    def run(
        self, key: CopyKey, work: Callable[[], None], deadline: float, read_progress: Callable[[], float | None]
    ) -> None:
        """Run ``work``, or wait for the same that is under way.

        Raises what ``work`` raised, ClusterSaturatedError where no thread can be started, or CopyNotReadyError at
        ``deadline``, a time of ``time.monotonic``.
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
        except RuntimeError:  # the limit of tasks, or of memory
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
    """Return the error for a request that waited for a build as long as it may."""
    done = "" if share is None else f": {share:.0%} done"
    return CopyNotReadyError(f"The workload is being read for the first time{done}; ask again soon", share)

"""Stores a copy in a directory, which all processes of the host share.

Nothing waits for the disk: what a power cut leaves incomplete is noticed by its checksum, and built again.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lens_perf.performance.columns.locks import hold_lock
from lens_perf.performance.columns.manifest import CopyKey, Manifest, Part
from lens_perf.performance.columns.manifest_cache import ManifestCache, UnreadableManifestError
from lens_perf.performance.columns.part_files import DamagedPartError, PartFile
from lens_perf.performance.columns.part_index import PartIndexes

MANIFEST = "manifest"
LOCK = "lock"
# A sparse file with the size of the copy and the time of its last use: one stat call returns both, regardless of the
# number of parts.
USED = "used"
PART = ".part"
# The usual unit in which file systems allocate space to files. A directory takes up one.
BLOCK_BYTES = 4096


class DirectoryStore:
    """The directory of the copy ``key`` under ``root``.

    ``cache`` and ``indexes`` are shared by the stores of a process. ``reserve`` is called for each part with its size
    and the size of all parts written since the lock was acquired and not discarded, in bytes of whole blocks.
    """

    def __init__(
        self,
        root: Path,
        key: CopyKey,
        cache: ManifestCache,
        indexes: PartIndexes,
        reserve: Callable[[int, int], None],
    ) -> None:
        self.key = key
        self._root = root
        self.path = root / key.digest
        self._cache = cache
        self._indexes = indexes
        self._reserve = reserve
        self._lock: int | None = None
        self._published = 0
        self._written = 0

    @contextmanager
    def hold(self, wait_until: float) -> Iterator[bool]:
        """Hold the lock for writing. Yield False if another thread or process holds it until ``wait_until``.

        Raises OSError.
        """
        prepare_directory(self._root)
        with hold_lock(self.path / LOCK, wait_until) as lock:
            if lock is None:
                yield False
                return
            self._lock = lock
            self._written = 0
            try:
                manifest = self.load()
                self._published = self._measure(manifest)
                if os.fstat(lock).st_size:  # a process was killed during a build
                    self._sweep(manifest)
                yield True
            finally:
                self._lock = None
                with suppress(OSError):
                    os.ftruncate(lock, 0)

    def load(self) -> Manifest | None:
        """Return the newest manifest, None if there is none or if it cannot be read."""
        with suppress(UnreadableManifestError):
            return self.load_strictly()
        return None

    def load_strictly(self) -> Manifest | None:
        """Return the newest manifest, None if there is none. Raises UnreadableManifestError."""
        manifest = self._cache.load(self.path / MANIFEST)
        if manifest is not None and manifest.key != self.key:
            raise UnreadableManifestError
        return manifest

    def touch(self) -> None:
        """Set the time of the last use to now."""
        with suppress(OSError):
            os.utime(self.path / USED)

    def open_part(self, part: Part) -> PartFile:
        """Open a part. Raises DamagedPartError."""
        try:
            descriptor = os.open(self.path / part.name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise DamagedPartError from None
        return PartFile(descriptor, part.size, self._indexes)

    def write_part(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Write a part; return its name and size in bytes. ``publish`` removes it if the manifest does not name it.

        Raises OSError, and ResultTooLargeError if the copy would exceed the limit.
        """
        path = self.path / (secrets.token_hex(8) + PART)
        size = _write_new(path, chunks)
        try:
            self._count(_round_up(size))
            self._reserve(_round_up(size), self._written)
        except BaseException:
            self.discard([path.name])
            raise
        return path.name, size

    def publish(self, manifest: Manifest) -> None:
        """Replace the manifest, and remove the files that it does not name. Raises OSError."""
        temporary = self.path / f"{MANIFEST}.{secrets.token_hex(8)}"
        _write_new(temporary, [manifest.encode()])
        try:
            temporary.replace(self.path / MANIFEST)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self._cache.store(self.path / MANIFEST, manifest)
        self._sweep(manifest)

    def discard(self, parts: Iterable[str]) -> None:
        """Remove parts that are not in a manifest."""
        for name in parts:
            path = self.path / name
            with suppress(OSError):
                size = path.stat().st_size
                path.unlink()
                self._count(-_round_up(size))

    def write_progress(self, share: float) -> None:
        """Store the share of the build that is done, from 0 to 1, for waiting requests."""
        if self._lock is not None:
            with suppress(OSError):
                os.pwrite(self._lock, b"%.4f" % share, 0)

    def read_progress(self) -> float | None:
        """Return the share of the current build that is done, from 0 to 1; None if there is no build."""
        try:
            return float((self.path / LOCK).read_bytes()[:6])
        except (OSError, ValueError):
            return None

    def remove(self) -> None:
        """Remove the copy, the manifest first, so that no process opens a partly removed copy."""
        with suppress(OSError):
            (self.path / MANIFEST).unlink()
        shutil.rmtree(self.path, ignore_errors=True)

    def _count(self, change: int) -> None:
        """Add ``change`` to the size of the parts that have been written. Raises OSError."""
        self._written += change
        self._set_size(self._published + self._written)

    def _set_size(self, size: int) -> None:
        descriptor = os.open(self.path / USED, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(descriptor, size)
            os.utime(descriptor)
        finally:
            os.close(descriptor)

    def _measure(self, manifest: Manifest | None) -> int:
        """Return the size of the directory and of the published files in bytes."""
        if manifest is None:
            return 0
        sizes = [(self.path / MANIFEST).stat().st_size, *(part.size for part in manifest.parts)]
        return BLOCK_BYTES + sum(map(_round_up, sizes))

    def _sweep(self, manifest: Manifest | None) -> None:
        """Remove all files that ``manifest``, the published one, does not name, as far as possible."""
        kept = {MANIFEST, LOCK, USED} | {part.name for part in (manifest.parts if manifest else ())}
        with suppress(OSError):
            self._set_size(self._measure(manifest))
            with os.scandir(self.path) as entries:
                for entry in entries:
                    if entry.name not in kept:
                        with suppress(OSError):
                            Path(entry.path).unlink()


def has_manifest(root: Path, key: CopyKey) -> bool:
    """Return whether the directory of the copy ``key`` has a manifest, possibly of another user."""
    # A Path, or the exception of stat(), would take longer than this call.
    return os.access(f"{root}/{key.digest}/{MANIFEST}", os.F_OK)


def _round_up(size: int) -> int:
    """Return the space that a file of ``size`` bytes takes up."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _write_new(path: Path, chunks: Iterable[bytes]) -> int:
    """Write a new file; return its size in bytes. Raises OSError."""
    try:
        with path.open("xb", buffering=0) as file:
            for chunk in chunks:
                write_all(file.fileno(), chunk)
            return file.tell()
    except BaseException:
        # If the disk is full, a partial file would keep it full.
        path.unlink(missing_ok=True)
        raise


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of ``content`` to a file. Raises OSError."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def check_directory(path: Path) -> bool:
    """Return whether the directory of all copies exists.

    Raises OSError if it cannot be used: it is out of reach, belongs to another user, or has an unsuitable mode. The
    errno is EACCES if another user may be able to use it.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EACCES, "it belongs to another user")
    if found.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "other users may write to it: chmod go-w")
    if ~found.st_mode & 0o700:
        raise PermissionError(errno.EPERM, "its owner may not use it: chmod u+rwx")
    return True


def prepare_directory(path: Path) -> None:
    """Create the directory of all copies if it is missing. Raises OSError, as ``check_directory`` does."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_directory(path)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)

"""The token file on disk: read completely or rejected, and replaced under a lock, keeping owner, group and mode."""

import fcntl
import grp
import os
import pwd
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from lens_perf.access.tokens import NAME, Token, format_tokens, make_digest, parse_tokens
from lens_perf.errors import ConfigError

SECRET_PREFIX = "lens_"  # noqa: S105 - the prefix of secrets, not a secret
SECRET_BYTES = 32
# Enough for thousands of tokens; a wrong file name does not fill the memory.
MAX_BYTES = 1 << 20
READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


class Stamp(NamedTuple):
    """Attributes that change with a file: times in nanoseconds, size in bytes, inode."""

    modified: int
    changed: int
    size: int
    inode: int


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of the file at ``path``, through symbolic links. Raises OSError."""
    return _stamp(path.stat())


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def read_token_file(path: Path) -> tuple[bytes, Stamp]:
    """Return the content of the file, and its stamp from before it was read. Raises ConfigError, naming the file."""
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        with _open(path, os.O_RDONLY | os.O_NONBLOCK) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{path}: is not a regular file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as error:
        advice = "; lens-perf token create creates it" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"{path}: cannot be read: {error.strerror}{advice}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES >> 20} MiB")
    return content, _stamp(status)


def load_tokens(path: Path) -> tuple[Token, ...]:
    """Load the token file. Raises ConfigError, naming the file and the key."""
    return parse_tokens(read_token_file(path)[0], path)


def create_token(path: Path, name: str, clusters: Sequence[str], settings_file: Path | None = None) -> str:
    """Add a token to the file and return its secret, which is stored nowhere.

    Without ``clusters`` it may read all. A new file is readable by the group of ``settings_file`` if that file is
    readable by its group. Raises ConfigError if the file is invalid or has a token of this name.
    """
    if not NAME.fullmatch(name):
        raise ConfigError("a token's name is 1 to 64 letters, digits, dots, dashes and underscores")
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    with _locked_directory(path) as target:
        tokens = load_tokens(target) if target.exists() else ()
        if any(token.name == name for token in tokens):
            raise ConfigError(f"{path}: a token {name} exists; revoke it first, or choose another name")
        allowed = frozenset(clusters) if clusters else None
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        _replace(target, [*tokens, Token(name, make_digest(secret), allowed, created_at)], settings_file)
    return secret


def revoke_token(path: Path, name: str) -> None:
    """Remove a token from the file. Raises ConfigError if there is no such token."""
    with _locked_directory(path) as target:
        tokens = load_tokens(target)
        kept = [token for token in tokens if token.name != name]
        if len(kept) == len(tokens):
            raise ConfigError(f"{path}: no token {name}")
        _replace(target, kept, None)


@contextmanager
def _locked_directory(path: Path) -> Iterator[Path]:
    """Lock out other writers of the file that ``path`` refers to, and yield its real path.

    The lock is on the directory, because the file itself is replaced, and a lock file would remain.
    """
    target = Path(os.path.realpath(path))
    try:
        with _open(target.parent, DIRECTORY) as directory:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield target
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


@contextmanager
def _open(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(target: Path, tokens: Sequence[Token], settings_file: Path | None) -> None:
    """Replace the file atomically and durably. Raises ConfigError or OSError."""
    # Only the holder of the lock uses this name, so a file left by a killed process can be removed.
    unfinished = target.with_name(f".{target.name}.new")
    unfinished.unlink(missing_ok=True)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
            if target.exists():
                _keep_access(target, unfinished)
            elif settings_file is not None:
                _share_with_group(settings_file, file.fileno())
            file.write(format_tokens(tokens))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
        # Sync the directory, too: a power failure must not restore a revoked token.
        with _open(target.parent, DIRECTORY) as directory:
            os.fsync(directory)
    finally:
        unfinished.unlink(missing_ok=True)


def _keep_access(target: Path, unfinished: Path) -> None:
    """Copy owner, group, mode and access list of the old file to the new one, or raise ConfigError."""
    old = target.stat()
    try:
        os.chown(unfinished, old.st_uid, old.st_gid)
    except PermissionError:
        user, group = _user_name(old.st_uid), _group_name(old.st_gid)
        raise ConfigError(f"{target}: would lose its owner {user}:{group}: run this as root or {user}") from None
    shutil.copystat(target, unfinished)


def _share_with_group(settings_file: Path, descriptor: int) -> None:
    settings = settings_file.stat()
    # If everybody may read the settings, their group says nothing about the service's user.
    if settings.st_mode & READABLE_BY_OTHERS == stat.S_IRGRP:
        # Without permission to set the group, the file stays readable by its owner only.
        with suppress(PermissionError):
            os.fchown(descriptor, -1, settings.st_gid)
            os.fchmod(descriptor, 0o640)


def describe_readers(path: Path) -> str | None:
    """Return a sentence if only the owner of the file can read it, else None. Raises OSError."""
    status = path.stat()
    if status.st_mode & READABLE_BY_OTHERS:
        return None
    return (
        f"only {_user_name(status.st_uid)} can read {path}: a service that runs as another user will not see the change"
    )


def find_other_writers(path: Path) -> list[str]:
    """Return a sentence for each way in which users other than the owner can change the file. Raises OSError."""
    target = Path(os.path.realpath(path))
    found = [f"{target}: others can write it: chmod go-w"] if target.stat().st_mode & WRITABLE_BY_OTHERS else []
    for directory in sorted({*path.absolute().parents, *target.parents}):
        mode = directory.stat().st_mode
        # In a directory with the sticky bit, such as /tmp, others cannot replace a file.
        if mode & WRITABLE_BY_OTHERS and not mode & stat.S_ISVTX:
            found.append(f"{directory}: others can write this directory and so replace {path.name}: chmod go-w")
    return found


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)

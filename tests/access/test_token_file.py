"""The token file on disk: replaced atomically, by one writer at a time, and still readable by the same users."""

import errno
import os
import pwd
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lens_perf.access.token_file import (
    MAX_BYTES,
    create_token,
    describe_readers,
    find_other_writers,
    load_tokens,
    revoke_token,
)
from lens_perf.access.tokens import find_token
from lens_perf.cli import main
from lens_perf.errors import ConfigError
from tests.front.programs import open_directory

NOBODY = pwd.getpwnam("nobody").pw_uid
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to others and act as others")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_created_tokens_are_found(path: Path) -> None:
    first, second = create_token(path, "grafana", []), create_token(path, "night.job", ["beta", "alpha"])
    assert first.startswith("lens_")
    assert first != second
    loaded = load_tokens(path)
    assert [(each.name, each.clusters) for each in loaded] == [
        ("grafana", None), ("night.job", frozenset({"alpha", "beta"}))
    ]  # fmt: skip
    assert find_token(loaded, first) == loaded[0]
    assert find_token(loaded, second) == loaded[1]
    assert first not in path.read_text()
    assert mode_of(path) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["tokens.toml"]
    revoke_token(path, "grafana")
    assert find_token(load_tokens(path), first) is None
    assert find_token(load_tokens(path), second) is not None


def test_impossible_changes_are_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="lens-perf token create creates it"):
        load_tokens(path)
    create_token(path, "a", [])
    with pytest.raises(ConfigError, match="a token a exists"):
        create_token(path, "a", [])
    with pytest.raises(ConfigError, match="a token's name"):
        create_token(path, "../a", [])
    with pytest.raises(ConfigError, match="no token b"):
        revoke_token(path, "b")
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        create_token(path.parent / "nowhere" / "tokens.toml", "a", [])


def test_a_path_that_is_not_a_file_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is not a regular file"):
        load_tokens(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory|is not a regular file"):
        load_tokens(path)
    with pytest.raises(ConfigError, match="is larger than 1 MiB"):
        load_tokens(write_large(path.with_name("large")))


def test_a_refused_file_is_closed(path: Path) -> None:
    path.mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with pytest.raises(ConfigError):
            load_tokens(path)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def write_large(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    return path


CREATE = "import sys; from pathlib import Path; from lens_perf.access.token_file import create_token\n"
CREATE_MANY = CREATE + "for each in range(20): create_token(Path(sys.argv[1]), f'{sys.argv[2]}-{each}', [])"


def test_no_token_is_lost_among_many_writers(path: Path) -> None:
    commands = [[sys.executable, "-c", CREATE_MANY, path, str(writer)] for writer in range(8)]
    for process in [subprocess.Popen(command) for command in commands]:
        assert process.wait(60) == 0
    assert len(load_tokens(path)) == 160
    assert [each.name for each in path.parent.iterdir()] == ["tokens.toml"]


def test_no_token_is_lost_among_many_commands(path: Path) -> None:
    settings = path.with_name("lens_perf.toml")
    settings.write_text('[access]\ntoken_file = "tokens.toml"\n[clusters.a]\ndsn = ""')
    create_token(path, "old", [])
    command = [sys.executable, "-m", "lens_perf", "token"]
    changes = [["create", f"new-{each}"] for each in range(4)] + [["revoke", "old"]]
    processes = [
        subprocess.Popen([*command, *change, "--config", settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for change in changes
    ]
    printed = [process.communicate(timeout=60)[0].decode().strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 5
    tokens = load_tokens(path)
    assert {token.name for token in tokens} == {f"new-{each}" for each in range(4)}
    assert all(find_token(tokens, secret) for secret in printed[:4])


def test_a_killed_writer_blocks_nobody(path: Path) -> None:
    create_token(path, "a", [])
    # A killed writer may leave a file of this name. Here it is a link, which must not be followed.
    path.with_name(".tokens.toml.new").symlink_to(path.with_name("elsewhere"))
    create_token(path, "b", [])
    assert {token.name for token in load_tokens(path)} == {"a", "b"}
    assert [each.name for each in path.parent.iterdir()] == ["tokens.toml"]


@contextmanager
def full_disk() -> Iterator[None]:
    """Make writes fail as on a full disk, by a limit on the file size of this process."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_a_full_disk_changes_nothing(path: Path) -> None:
    create_token(path, "a", [])
    create_token(path, "b", [])
    before = path.read_bytes()
    failure = f"cannot be written: {os.strerror(errno.EFBIG)}"
    with full_disk(), pytest.raises(ConfigError, match=failure):
        create_token(path, "c", [])
    with full_disk(), pytest.raises(ConfigError, match=failure):
        revoke_token(path, "a")
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["tokens.toml"]


def test_a_link_remains_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "t.toml"
    path.symlink_to("real/t.toml")
    create_token(path, "a", [])
    create_token(path, "b", [])
    revoke_token(path, "a")
    assert path.is_symlink()
    assert [token.name for token in load_tokens(target)] == ["b"]
    assert [each.name for each in target.parent.iterdir()] == ["t.toml"]


def test_the_mode_is_kept(path: Path) -> None:
    create_token(path, "a", [])
    path.chmod(0o640)
    revoke_token(path, "a")
    assert mode_of(path) == 0o640


def test_the_access_list_is_kept(path: Path) -> None:
    create_token(path, "a", [])
    try:
        os.setxattr(path, "user.note", b"kept")
    except OSError:
        pytest.skip("the file system of temporary files has no extended attributes")
    revoke_token(path, "a")
    assert os.getxattr(path, "user.note") == b"kept"


@needs_root
def test_a_change_by_root_keeps_the_owner(path: Path) -> None:
    create_token(path, "a", [])
    os.chown(path, NOBODY, 12345)
    create_token(path, "b", [])
    revoke_token(path, "a")
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (NOBODY, 12345, 0o600)


@needs_root
def test_nothing_changes_if_the_owner_cannot_be_kept() -> None:
    with open_directory() as directory:
        path = directory / "tokens.toml"
        create_token(path, "a", [])
        path.chmod(0o644)
        directory.chmod(0o777)
        before = path.read_bytes()
        os.seteuid(NOBODY)
        try:
            with pytest.raises(ConfigError, match="would lose its owner root:root: run this as root"):
                revoke_token(path, "a")
        finally:
            os.seteuid(0)
        assert path.read_bytes() == before
        assert [each.name for each in directory.iterdir()] == ["tokens.toml"]


@needs_root
@pytest.mark.parametrize(("mode", "made"), [(0o640, 0o640), (0o600, 0o600), (0o644, 0o600)])
def test_a_new_file_is_readable_by_the_group_of_the_settings(path: Path, mode: int, made: int) -> None:
    settings = path.with_name("lens_perf.toml")
    settings.touch()
    settings.chmod(mode)
    os.chown(settings, 0, 12345)
    create_token(path, "a", [], settings)
    assert (mode_of(path), path.stat().st_gid) == (made, 12345 if made == 0o640 else os.getegid())


def test_the_command_names_services_that_cannot_read_the_file(path: Path) -> None:
    settings = path.with_name("lens_perf.toml")
    settings.write_text('[access]\ntoken_file = "tokens.toml"\n[clusters.a]\ndsn = ""')
    settings.chmod(0o600)

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["token", *words, "--config", str(settings)], catch_exceptions=False)

    me = pwd.getpwuid(os.geteuid()).pw_name
    warning = f"lens-perf: only {me} can read {path}: a service that runs as another user will not see the change\n"
    created = run("create", "a")
    assert (created.exit_code, created.stderr) == (0, warning)
    assert find_token(load_tokens(path), created.stdout.strip())
    assert run("revoke", "a").stderr == warning
    path.chmod(0o640)
    assert run("create", "a").stderr == ""
    assert describe_readers(path) is None


@pytest.fixture
def private_directory() -> Iterator[Path]:
    with open_directory() as directory:
        yield directory


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_reported(private_directory: Path, mode: int) -> None:
    path = private_directory / "tokens.toml"
    create_token(path, "a", [])
    assert find_other_writers(path) == []
    path.chmod(mode)
    assert find_other_writers(path) == [f"{path}: others can write it: chmod go-w"]


def test_a_directory_that_others_can_write_is_reported(private_directory: Path) -> None:
    outer, inner = private_directory / "outer", private_directory / "inner"
    outer.mkdir()
    inner.mkdir()
    create_token(inner / "real.toml", "a", [])
    path = outer / "tokens.toml"
    path.symlink_to(inner / "real.toml")
    assert find_other_writers(path) == []
    # Both the directory of the link and that of the file count.
    for directory in (outer, inner):
        directory.chmod(0o777)
        (found,) = find_other_writers(path)
        assert found.startswith(f"{directory}: others can write this directory")
        directory.chmod(0o1777)
        assert find_other_writers(path) == []

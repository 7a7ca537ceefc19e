"""The tokens of each process: changes are noticed, and no process accepts a token that another knows to be revoked."""

import copy
import logging
import os
import time
from pathlib import Path

import pytest

from lens_perf.access import current_tokens
from lens_perf.access.current_tokens import CurrentTokens
from lens_perf.access.token_file import create_token, revoke_token
from lens_perf.errors import ConfigError, TokensUnavailableError
from tests.access.damages import DAMAGES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_tokens, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(current_tokens, "SETTLED_NS", 100_000_000)


def settle(path: Path) -> None:
    """Make the file so old that it is not read again. The kernel sets its change time."""
    wait = (current_tokens.SETTLED_NS - (time.time_ns() - path.stat().st_ctime_ns)) / 1e9
    time.sleep(max(0.0, wait) + 0.01)


def fork(tokens: CurrentTokens) -> CurrentTokens:
    """Return the tokens of a process forked now: a copy of the state, and the same shared memory."""
    return copy.copy(tokens)


def test_an_invalid_file_is_an_error_at_the_start(path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        CurrentTokens(path)
    path.write_text("[tokens")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        CurrentTokens(path)


def test_changes_are_noticed(path: Path) -> None:
    first = create_token(path, "a", [])
    tokens = CurrentTokens(path)
    second = create_token(path, "b", [])
    assert tokens.find(second)
    revoke_token(path, "a")
    assert tokens.find(first) is None
    assert tokens.find(second)


def test_the_file_is_checked_at_intervals(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_token(path, "a", [])
    tokens = CurrentTokens(path)
    assert tokens.find("x") is None
    monkeypatch.setattr(current_tokens, "CHECK_SECONDS", 60.0)
    secret = create_token(path, "b", [])
    assert tokens.find(secret) is None
    monkeypatch.setattr(current_tokens, "CHECK_SECONDS", 0.0)
    assert tokens.find(secret)


def test_a_settled_file_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = create_token(path, "a", [])
    tokens = CurrentTokens(path)
    settle(path)
    assert tokens.find(secret)
    monkeypatch.setattr(current_tokens, "read_token_file", None)
    assert tokens.find(secret)


def test_a_change_in_place_with_the_same_size_and_time_is_noticed(path: Path) -> None:
    secret = create_token(path, "a", [])
    tokens = CurrentTokens(path)
    settle(path)
    assert tokens.find(secret)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    content = path.read_text()
    path.write_text(content.replace('sha256 = "', 'sha256 = "0')[: len(content) - 2] + '"\n')
    os.utime(path, ns=times)
    assert tokens.check_file()
    assert tokens.find(secret) is None


def test_a_link_that_is_moved_is_noticed(path: Path) -> None:
    """Kubernetes updates a mounted Secret by changing a link to the directory of the files."""
    for name in ("one", "two"):
        path.with_name(name).mkdir()
    first = create_token(path.with_name("one") / "tokens.toml", "a", [])
    second = create_token(path.with_name("two") / "tokens.toml", "a", [])
    data = path.with_name("..data")
    data.symlink_to("one")
    path.symlink_to("..data/tokens.toml")
    tokens = CurrentTokens(path)
    assert tokens.find(first)
    path.with_name("..tmp").symlink_to("two")
    path.with_name("..tmp").rename(data)
    assert tokens.find(second)
    assert tokens.find(first) is None


def test_an_emptied_file_revokes_all(path: Path) -> None:
    secret = create_token(path, "a", [])
    tokens = CurrentTokens(path)
    path.write_bytes(b"")
    assert tokens.check_file()
    assert tokens.find(secret) is None


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("settled", [False, True])
def test_without_a_readable_file_the_last_valid_content_counts(path: Path, how: str, settled: bool) -> None:
    revoked, kept = create_token(path, "a", []), create_token(path, "b", [])
    master = CurrentTokens(path)
    if settled:
        settle(path)
    first, idle = fork(master), fork(master)
    assert first.find(revoked)
    assert idle.find(revoked)
    revoke_token(path, "a")
    if settled:
        settle(path)
    # One worker has read it; neither the idle one nor one that is forked later may accept what it knows to be revoked.
    assert first.find(revoked) is None
    DAMAGES[how](path)
    for worker in (first, idle, fork(master), fork(fork(master))):
        assert not worker.check_file()
        for _ in range(2):
            assert worker.find(revoked) is None
            assert worker.find(kept)


def test_no_token_is_accepted_if_the_last_valid_content_is_lost(path: Path) -> None:
    secret = create_token(path, "a", [])
    master = CurrentTokens(path)
    # The state after a process was killed between the two steps of writing.
    os.ftruncate(master._shared._file, 20)
    good = path.read_bytes()
    path.write_text("[tokens")
    worker = fork(master)
    for _ in range(2):
        with pytest.raises(TokensUnavailableError, match="cannot be checked now"):
            worker.find(secret)
    path.write_bytes(good)
    assert worker.find(secret)
    path.write_text("[tokens")
    assert fork(master).find(secret)


def test_an_invalid_file_is_logged_as_an_error_again_and_again(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    secret = create_token(path, "a", [])
    tokens = CurrentTokens(path)
    good = path.read_bytes()
    path.write_text("[tokens")
    for _ in range(3):
        assert tokens.find(secret)
    text = f"{path}: is not valid TOML (at end of document); its last valid content is used until it can be read"
    assert [(each.levelno, each.message) for each in caplog.records] == [(logging.ERROR, text)]
    monkeypatch.setattr(current_tokens, "REPORT_SECONDS", 0.0)
    tokens.check_file()
    assert len(caplog.records) == 2
    path.write_bytes(good)
    for _ in range(3):
        assert tokens.check_file()
    assert [each.message for each in caplog.records[2:]] == [f"{path}: can be read again"]

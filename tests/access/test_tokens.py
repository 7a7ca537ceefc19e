"""The token file: what is written comes back, what is wrong is told, what changes is noticed."""

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.access import tokens
from lens_perf.access.addresses import find_objection, is_local
from lens_perf.access.tokens import Token, TokenFile, create_token, find_token, load_tokens, make_digest, revoke_token
from lens_perf.config import AccessSettings, ClusterSettings, Settings
from lens_perf.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def test_tokens_that_are_made_are_found(path: Path) -> None:
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
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["tokens.toml"]
    revoke_token(path, "grafana")
    assert find_token(load_tokens(path), first) is None
    assert find_token(load_tokens(path), second) is not None


@given(st.text())
def test_no_other_text_is_a_secret(text: str) -> None:
    assert find_token([Token("a", make_digest("lens_secret"), None)], text) is None


def test_what_may_be_read() -> None:
    assert Token("a", "", None).may_read("alpha")
    assert Token("a", "", frozenset({"alpha"})).may_read("alpha")
    assert not Token("a", "", frozenset({"alpha"})).may_read("beta")
    assert not Token("a", "", frozenset()).may_read("alpha")


DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tokens", "not valid TOML"),
        ("x = 1", "nothing else"),
        ("tokens = 1", "nothing else"),
        ('[tokens."a b"]\nsha256 = ""', "a token's name"),
        ("[tokens.a]", "a.sha256: expected 64"),
        ('[tokens.a]\nsha256 = "secret"', "a.sha256: expected 64"),
        (f'[tokens.a]\nsha256 = "{DIGEST}"\nsecret = "x"', "expected a table of"),
        (f'[tokens.a]\nsha256 = "{DIGEST}"\nclusters = "alpha"', "a.clusters: expected a list"),
        (f'[tokens.a]\nsha256 = "{DIGEST}"\nclusters = [1]', "a.clusters: expected a list"),
    ],
)
def test_bad_files(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_tokens(path)
    assert words in caught.value.message
    assert "secret" not in caught.value.message


def test_what_cannot_be_done(path: Path) -> None:
    with pytest.raises(ConfigError, match="lens-perf token create makes it"):
        load_tokens(path)
    create_token(path, "a", [])
    with pytest.raises(ConfigError, match="there is a token a"):
        create_token(path, "a", [])
    with pytest.raises(ConfigError, match="a token's name"):
        create_token(path, "../a", [])
    with pytest.raises(ConfigError, match="there is no token b"):
        revoke_token(path, "b")
    with pytest.raises(ConfigError, match="cannot be written"):
        create_token(path.parent / "nowhere" / "tokens.toml", "a", [])


def test_a_changed_file_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tokens, "LOOK_SECONDS", 0.05)
    first = create_token(path, "a", [])
    file = TokenFile(path)
    second = create_token(path, "b", [])
    assert file.find(second)
    time.sleep(0.06)
    path.write_text("[tokens")
    assert file.find(first)
    assert file.find(second)
    assert len([record for record in caplog.records if "stay as they were" in record.message]) == 1
    path.write_text("")
    os.utime(path, (1, 1))
    time.sleep(0.06)
    assert file.find(first) is None


def test_a_bad_file_is_told_at_the_start(path: Path) -> None:
    with pytest.raises(ConfigError):
        TokenFile(path)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        (("127.0.0.1", 8080), True), (("127.9.9.9", 1), True), (("::1", 8080, 0, 0), True), (("localhost", 1), True),
        ("/run/lens_perf.sock", True), (("0.0.0.0", 8080), False), (("", 8080), False), (("::", 8080, 0, 0), False),
        (("10.0.0.1", 80), False), (("example.org", 80), False), (("::ffff:10.0.0.1", 80, 0, 0), False), (3, False),
    ],
)  # fmt: skip
def test_addresses(address: Any, local: bool) -> None:
    assert is_local(address) is local
    clusters = {"alpha": ClusterSettings(dsn="")}
    bare = Settings(path=Path("x"), clusters=clusters)
    assert (find_objection([("127.0.0.1", 1), address], bare) is None) is local
    for access in (AccessSettings(token_file="tokens.toml"), AccessSettings(open_without_tokens=True)):
        assert find_objection([address], Settings(path=Path("x"), clusters=clusters, access=access)) is None

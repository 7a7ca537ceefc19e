"""The content of token files: tokens are read back as written, and errors name the key."""

import string
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.access.tokens import Token, find_token, format_tokens, make_digest, parse_tokens
from lens_perf.errors import ConfigError

FILE = Path("tokens.toml")
DIGEST = "0" * 64
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
# TOML is UTF-8: it has no surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
TOKENS = st.lists(
    st.builds(
        Token, NAMES, st.text("0123456789abcdef", min_size=64, max_size=64), st.none() | st.frozensets(TEXTS), TEXTS
    ),
    unique_by=lambda token: token.name,
    max_size=3,
)


@given(TOKENS)
def test_tokens_are_read_back_as_written(tokens: list[Token]) -> None:
    assert parse_tokens(format_tokens(tokens), FILE) == tuple(tokens)


@given(TOKENS, st.data())
def test_a_truncated_file_extends_no_token(tokens: list[Token], data: st.DataObject) -> None:
    content = format_tokens(tokens)
    cut = content[: data.draw(st.integers(0, len(content)))]
    try:
        kept = parse_tokens(cut, FILE)
    except ConfigError:
        return
    assert set(kept) <= set(tokens)


@given(st.binary() | st.text(string.printable).map(str.encode) | st.text("[]{}='\"#.tokens\n").map(str.encode))
def test_any_content_is_read_or_refused(content: bytes) -> None:
    with suppress(ConfigError):
        parse_tokens(content, FILE)


@pytest.mark.parametrize(
    "content",
    [b"a = " + b"[" * 100_000, b"a = " + b"1" * 5_000, b"a = '\xff'", b"a = '\0'", "a = '\U0001f600".encode("utf-16")],
    ids=["deep", "long number", "not UTF-8", "NUL", "UTF-16"],
)
def test_hostile_content_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match="is not valid TOML"):
        parse_tokens(content, FILE)


@given(st.text())
def test_no_other_text_is_a_secret(text: str) -> None:
    assert find_token([Token("a", make_digest("lens_secret"), None)], text) is None


def test_a_date_of_toml_is_kept_as_text() -> None:
    content = f'[tokens.a]\nsha256 = "{DIGEST}"\ncreated_at = 2026-11-25T10:00:00Z'.encode()
    (token,) = parse_tokens(content, FILE)
    assert datetime.fromisoformat(token.created_at) == datetime.fromisoformat("2026-11-25T10:00:00+00:00")
    assert parse_tokens(format_tokens([token]), FILE) == (token,)


def test_tokens_read_their_clusters_only() -> None:
    assert Token("a", "", None).may_read("alpha")
    assert Token("a", "", frozenset({"alpha"})).may_read("alpha")
    assert not Token("a", "", frozenset({"alpha"})).may_read("beta")
    assert not Token("a", "", frozenset()).may_read("alpha")


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
        (f'[tokens.a]\nsha256 = "{DIGEST}"\n[tokens.b]\nsha256 = "{DIGEST}"', "a.sha256: expected a value different"),
    ],
)
def test_bad_content(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_tokens(text.encode(), FILE)
    assert words in caught.value.message
    assert "secret" not in caught.value.message

"""Posting to a real listener: one that works, one that fails, one that stalls, one that does not exist."""

import logging
from pathlib import Path

import pytest

from lens_perf.errors import ConfigError
from lens_perf.watch import webhooks
from lens_perf.watch.webhooks import LONGEST_DELAY_SECONDS, Poster, Webhook, parse_webhook
from tests.watch.listener import STALL, run_listener

SECRET = "T000-hidden"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_post_is_accepted(status: int) -> None:
    with run_listener(status) as listener:
        assert Poster(Webhook(f"{listener.url}/hook?a=b", "json")).post({"events": [1]})
    assert (listener.paths, listener.bodies) == (["/hook?a=b"], [{"events": [1]}])


@pytest.mark.parametrize("status", [500, 503, 429, 302])
def test_a_failed_post_is_tried_again_later(status: int) -> None:
    clock = Clock()
    with run_listener(status, 200) as listener:
        poster = Poster(Webhook(listener.url, "json"), clock)
        assert not poster.post("first")
        assert (poster.wait_seconds, poster.post("too early"), len(listener.paths)) == (1, False, 1)
        clock.now = 1
        assert poster.post("first")
    assert (listener.bodies, poster.wait_seconds) == (["first"], 0)


def test_it_waits_twice_as_long_each_time() -> None:
    clock, waits = Clock(), []
    poster = Poster(Webhook("http://127.0.0.1:1/", "json"), clock)
    for _ in range(14):
        assert not poster.post({})
        waits.append(poster.wait_seconds)
        clock.now += poster.wait_seconds
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LONGEST_DELAY_SECONDS


def test_a_listener_that_stalls_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "ANSWER_SECONDS", 0.1)
    with run_listener(STALL) as listener:
        poster = Poster(Webhook(listener.url, "json"))
        assert not poster.post({})
        assert poster.wait_seconds > 0
    assert len(listener.paths) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_permanent_refusals_are_not_retried(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with run_listener(status) as listener:
        poster = Poster(Webhook(f"{listener.url}/{SECRET}", "slack"))
        assert poster.post({})
        assert poster.wait_seconds == 0
    assert f"answered {status}" in caplog.text


def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "lens_perf")
    Poster(Webhook(f"http://user:{SECRET}@127.0.0.1:1/{SECRET}", "slack")).post({})
    assert "slack 127.0.0.1 " in caplog.text
    assert [record.getMessage() for record in caplog.records if SECRET in record.getMessage()
            and record.name.startswith("lens_perf")] == []  # fmt: skip


def test_a_password_becomes_an_authorization() -> None:
    with run_listener() as listener:
        Poster(Webhook(listener.url.replace("//", "//user:pass@"), "json")).post({})
    assert listener.authorizations == ["Basic dXNlcjpwYXNz"]


def test_where_an_address_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"https://hooks.example.org/{SECRET}"
    (tmp_path / "url").write_text(f"{url}\n", "utf-8")
    monkeypatch.setenv("HOOK", url)
    for address in (f"file:{tmp_path / 'url'}", "env:HOOK"):
        assert parse_webhook(address, "slack") == Webhook(url, "slack")
    assert parse_webhook("https://notslack.com/hook", "json").url == "https://notslack.com/hook"
    assert parse_webhook("http://[::1]:9093/hook", "json").url == "http://[::1]:9093/hook"
    assert parse_webhook("http://127.0.0.1:9093", "alertmanager").url == "http://127.0.0.1:9093/api/v2/alerts"
    own_path = "http://127.0.0.1/am/api/v2/alerts"
    assert parse_webhook(own_path, "alertmanager").url == own_path


@pytest.mark.parametrize(
    ("address", "format_", "words"),
    [
        (f"https://hooks.slack.com/{SECRET}", "slack", "file:PATH or --webhook env:NAME"),
        (f"https://hooks.slack.com/services/{SECRET}", "json", "file:PATH or --webhook env:NAME"),
        (f"HTTPS://Hooks.Slack.COM.:443/services/{SECRET}", "alertmanager", "file:PATH or --webhook env:NAME"),
        (f"https://hooks.slack-gov.com/services/{SECRET}", "json", "file:PATH or --webhook env:NAME"),
        (f"http://[::1/{SECRET}", "json", "http or https"),
        (f"http://example.org:{SECRET}/", "json", "http or https"),
        ("http://example.org:99999/", "json", "http or https"),
        (f"https://user:{SECRET}@example.org", "json", "file:PATH or --webhook env:NAME"),
        ("ftp://example.org", "json", "http or https"),
        ("example.org", "json", "http or https"),
        ("file:/nonexistent/url", "json", "cannot be read"),
        ("env:LENS_PERF_NO_SUCH_VARIABLE", "json", "LENS_PERF_NO_SUCH_VARIABLE"),
    ],
)
def test_an_invalid_address(address: str, format_: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        parse_webhook(address, format_)  # type: ignore[arg-type]
    assert SECRET not in raised.value.message

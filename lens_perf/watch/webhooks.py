"""Webhooks: their addresses and secrets, and retries of failed posts."""

import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import SplitResult, urlsplit

from lens_perf.errors import ConfigError
from lens_perf.watch.messages import Format

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 900.0
FORMATS: tuple[Format, ...] = get_args(Format)
ALERTS_PATH = "/api/v2/alerts"
# Hosts whose URLs are secrets, also in a subdomain.
SLACK_HOSTS = ("slack.com", "slack-gov.com")
# Permanent refusals; any other failure may be temporary.
REFUSALS = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})


@dataclass(frozen=True)
class Webhook:
    """Where messages are posted, and in which format. The URL may contain a secret and is never shown."""

    url: str
    format: Format

    @property
    def name(self) -> str:
        """Its name in log lines and in the state file: its host, and a digest of the URL."""
        digest = hashlib.sha256(self.url.encode()).hexdigest()[:12]
        return f"{self.format} {urlsplit(self.url).hostname} {digest}"


def parse_webhook(address: str, format_: Format) -> Webhook:
    """Return the webhook of ``address``: a URL, ``file:PATH`` or ``env:NAME``. Raises ConfigError, without the URL.

    A URL with a secret, such as Slack's, is accepted only from a file or the environment, because every user of the
    machine can read command lines.
    """
    kind, _, rest = address.partition(":")
    if kind == "file":
        url = _read_first_line(Path(rest))
    elif kind == "env":
        url = os.environ.get(rest, "").strip()
        if not url:
            raise ConfigError(f"The environment variable {rest} of --webhook is empty; it must hold a URL")
    else:
        url = address
        if format_ == "slack" or _holds_secret(_split(url)):
            raise ConfigError(
                "The URL of this webhook holds a secret: give it as --webhook file:PATH or --webhook env:NAME"
            )
    parts = _split(url)
    if format_ == "alertmanager" and parts.path in {"", "/"}:
        url = parts._replace(path=ALERTS_PATH).geturl()
    return Webhook(url, format_)


def _split(url: str) -> SplitResult:
    """Return the parts of an HTTP URL with a host. Raises ConfigError."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its text may contain the URL
        is_valid = False
    if not is_valid:
        raise ConfigError("A webhook must be an http or https URL, file:PATH or env:NAME")
    return parts


def _holds_secret(parts: SplitResult) -> bool:
    host = (parts.hostname or "").rstrip(".")
    return "@" in parts.netloc or any(f".{host}".endswith(f".{each}") for each in SLACK_HOSTS)


def _read_first_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"The file {path} of --webhook cannot be read") from None
    return lines[0].strip() if lines else ""


class Poster:
    """Posts to one webhook; after each failure it waits twice as long before the next attempt."""

    def __init__(self, webhook: Webhook, clock: Callable[[], float] = time.monotonic) -> None:
        self.webhook = webhook
        self._clock = clock
        self._delay = 0.0
        self._not_before = float("-inf")

    @property
    def wait_seconds(self) -> float:
        """Seconds until the next attempt."""
        return max(0.0, self._not_before - self._clock())

    def post(self, body: Any) -> bool:
        """Post ``body`` as JSON; return whether it was accepted or permanently refused. False while waiting."""
        if self.wait_seconds:
            return False
        problem, is_final = self._try(body)
        if problem is None:
            self._delay, self._not_before = 0.0, float("-inf")
            return True
        logger.warning("%s: %s", self.webhook.name, problem)
        if is_final:
            return True
        self._delay = min(LONGEST_DELAY_SECONDS, max(FIRST_DELAY_SECONDS, 2 * self._delay))
        self._not_before = self._clock() + self._delay
        return False

    def _try(self, body: Any) -> tuple[str | None, bool]:
        """Return the problem, or None, and whether it is permanent."""
        import requests  # noqa: PLC0415 - takes a tenth of a second, which other commands do not need

        try:
            with requests.post(
                self.webhook.url,
                json=body,
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as answer:
                status = answer.status_code
        except requests.RequestException as error:
            # Its text may contain the URL.
            return f"could not be reached ({type(error).__name__})", False
        if 200 <= status < 300:  # noqa: PLR2004 - the statuses of success
            return None, False
        return f"answered {status}", status in REFUSALS

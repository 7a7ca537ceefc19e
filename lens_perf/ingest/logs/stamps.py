"""Times and ranks in what launchers and loggers put ahead of a line."""

import re
from datetime import UTC, datetime, tzinfo

ANSI_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STAMP = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[ T](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:?\d\d)?"
    r"|(?<!\d)(?P<packed>\d{8}) (?P<packed_time>\d\d:\d\d:\d\d)"
)
RANK = re.compile(r"^\s*(\d+): |\[?\brank[- ]?(\d+)|\[default(\d+)\]", re.IGNORECASE)


def strip_colours(text: str) -> str:
    """Return ``text`` without terminal colour codes."""
    return ANSI_CODE.sub("", text) if "\x1b" in text else text


def find_time(prefix: str, timezone: tzinfo) -> datetime | None:
    """Return the last time told in ``prefix``: where there are two, the program's own stands behind its logger's.

    A time without a zone is in ``timezone``. What looks like a time but is none, as a 31st of June, is no time.
    """
    found = [match.groupdict() for match in STAMP.finditer(prefix)]
    for parts in reversed(found):
        try:
            return _make_time(parts, timezone)
        except ValueError:
            continue
    return None


def _make_time(parts: dict[str, str | None], timezone: tzinfo) -> datetime:
    if parts["packed"]:
        return datetime.strptime(f"{parts['packed']} {parts['packed_time']}", "%Y%m%d %H:%M:%S").replace(
            tzinfo=timezone
        )
    text = f"{parts['date']}T{parts['time']}.{(parts['fraction'] or '0')[:6]:0<6}{parts['zone'] or ''}"
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=timezone)


def find_rank(prefix: str) -> int | None:
    """Return which rank of the training program printed a line, where its prefix tells."""
    match = RANK.search(prefix)
    return int(next(group for group in match.groups() if group)) if match else None

"""Finds times and ranks in the prefixes that launchers and loggers add to lines."""

import re
from datetime import UTC, datetime, tzinfo

ANSI_CODE = re.compile(r"\x1b\[[0-9;?]*+[A-Za-z]")
STAMP = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[ T](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]{1,9}))?(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
    r"|(?<![0-9])(?P<packed>[0-9]{8}) (?P<packed_time>[0-9]{2}:[0-9]{2}:[0-9]{2})"
)
RANK = re.compile(
    r"^\s{0,20}+([0-9]{1,9}+): |\[?\brank[- ]?([0-9]{1,9}+)|\[default([0-9]{1,9}+)\]|([0-9]{1,9}+)\]<std(?:out|err)>",
    re.IGNORECASE,
)


def strip_colours(text: str) -> str:
    """Return ``text`` without terminal colour codes."""
    return ANSI_CODE.sub("", text) if "\x1b" in text else text


def find_time(prefix: str, timezone: tzinfo, after: datetime | None = None) -> datetime | None:
    """Return the last time in ``prefix``, in UTC: if there are two, the program's own follows its logger's.

    A time without a zone is in ``timezone``. When clocks are set back, an hour occurs twice: a time that would be
    before ``after`` belongs to the second. Invalid times, such as a 31st of June, are ignored.
    """
    found = [match.groupdict() for match in STAMP.finditer(prefix)]
    for parts in reversed(found):
        try:
            return _make_time(parts, timezone, after)
        except (ValueError, OverflowError):
            continue
    return None


def _make_time(parts: dict[str, str | None], timezone: tzinfo, after: datetime | None) -> datetime:
    if parts["packed"]:
        moment = datetime.fromisoformat(f"{parts['packed']}T{parts['packed_time']}")
    else:
        fraction = (parts["fraction"] or "0")[:6]
        moment = datetime.fromisoformat(f"{parts['date']}T{parts['time']}.{fraction:0<6}{parts['zone'] or ''}")
    if moment.tzinfo:
        return moment.astimezone(UTC)
    first = moment.replace(tzinfo=timezone).astimezone(UTC)
    if after is None or first >= after:
        return first
    second = moment.replace(tzinfo=timezone, fold=1).astimezone(UTC)
    return second if second >= after else first


def find_rank(prefix: str) -> int | None:
    """Return the rank that printed a line, if its prefix has it."""
    match = RANK.search(prefix)
    return int(next(group for group in match.groups() if group)) if match else None

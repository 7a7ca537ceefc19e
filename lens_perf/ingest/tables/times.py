"""Reads the times of a table: ISO 8601 texts, numbers since 1970 in any unit, and times since the start."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from lens_perf.ingest.numbers import NUMBER

SECONDS_PER_UNIT = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
# 1973 in seconds; each next unit begins where the previous one would be in the year 5138.
LEAST_SINCE_1970 = 1e8
FIRST_OF_UNIT = (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", LEAST_SINCE_1970))
DURATION = re.compile(
    r"(?:(?P<days>\d{1,6}) days?, )?(?P<hours>\d{1,6}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d(?:\.\d{1,9})?)",
    re.ASCII,
)
LONGEST_TIME = 64


@dataclass(frozen=True)
class TimeRule:
    """The interpretation of a time column.

    ``unit`` is that of numbers, one of SECONDS_PER_UNIT, or None for texts. ``since_start`` means times since the start
    of the training instead of calendar times.
    """

    column: str
    unit: str | None
    since_start: bool

    def __str__(self) -> str:
        if self.unit is None:
            return f"{self.column}, {'h:mm:ss since the start' if self.since_start else 'as texts'}"
        return f"{self.column}, in {UNIT_WORDS[self.unit]} since {'the start' if self.since_start else '1970'}"

    def read(self, value: Any, timezone: tzinfo, start: datetime | None) -> datetime | None:
        """Return the time of ``value``; None if it is not a time, or counts from an unknown start."""
        if self.since_start:
            seconds = self.read_seconds(value)
            return None if seconds is None or start is None else _add(start, seconds)
        if self.unit is None:
            return parse_time(value, timezone)
        seconds = self.read_seconds(value)
        return None if seconds is None else _add(datetime(1970, 1, 1, tzinfo=UTC), seconds)

    def read_seconds(self, value: Any) -> float | None:
        """Return a number or a duration in seconds."""
        if (number := _as_number(value)) is not None:
            return number * SECONDS_PER_UNIT[self.unit or "s"]
        return parse_duration(value)


def find_time_rule(column: str, values: list[Any], unit: str | None, timezone: tzinfo) -> TimeRule | None:
    """Return the interpretation of ``values``, the first of a column, as times; None if most are not times.

    ``unit`` is that of numbers, if it is known; else their size decides.
    """
    numbers = [number for value in values if (number := _as_number(value)) is not None]
    if 2 * len(numbers) > len(values):
        middle = sorted(map(abs, numbers))[len(numbers) // 2]
        if unit is not None:
            return TimeRule(column, unit, since_start=middle * SECONDS_PER_UNIT[unit] < LEAST_SINCE_1970)
        found = next((name for name, first in FIRST_OF_UNIT if middle >= first), None)
        return TimeRule(column, found or "s", since_start=found is None)
    if 2 * sum(parse_time(value, timezone) is not None for value in values) > len(values):
        return TimeRule(column, None, since_start=False)
    if 2 * sum(parse_duration(value) is not None for value in values) > len(values):
        return TimeRule(column, None, since_start=True)
    return None


def parse_time(value: Any, timezone: tzinfo) -> datetime | None:
    """Return the time in an ISO 8601 text, also with a space or slashes; without a zone, in ``timezone``."""
    if not isinstance(value, str) or not 8 <= len(value) <= LONGEST_TIME:  # noqa: PLR2004 - 20260131
        return None
    try:
        moment = datetime.fromisoformat(value.strip().replace("/", "-"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=timezone)
    except (ValueError, OverflowError):
        return None


def parse_duration(value: Any) -> float | None:
    """Return the seconds of a text such as ``1:05:36`` or ``9 days, 21:39:23``."""
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    days, hours, minutes = (int(match[name] or 0) for name in ("days", "hours", "minutes"))
    return float((days * 24 + hours) * 3600 + minutes * 60) + float(match["seconds"])


def _as_number(value: Any) -> float | None:
    if type(value) in (int, float):
        return float(value) if abs(value) < 1e300 else None  # noqa: PLR2004 - an integer may exceed the range of floats
    if isinstance(value, str) and len(value) <= LONGEST_TIME and NUMBER.fullmatch(value):
        return float(value)
    return None


def _add(start: datetime, seconds: float) -> datetime | None:
    try:
        return start + timedelta(microseconds=round(seconds * 1e6))
    except (OverflowError, ValueError):
        return None

"""Formats numbers, times, tables and series for a terminal."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from lens_perf.ingest.read_summary import make_printable

UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
# Floats in this range are shown as whole numbers.
LEAST_WHOLE, MOST_WHOLE = 999.95, 1e15
BLOCKS = "▁▂▃▄▅▆▇█"


def format_number(value: float | None) -> str:
    """Return a number with a readable number of digits; a dash for None."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    # Four digits of a larger number would need an exponent.
    return f"{value:,.0f}" if LEAST_WHOLE <= abs(value) < MOST_WHOLE else f"{value:.4g}"


def format_span(seconds: float | None) -> str:
    """Return a span of time in its two largest units."""
    if seconds is None:
        return "unknown"
    if 0 < seconds < 1:
        return f"{float(f'{seconds * 1000:.3g}'):g} ms"
    if seconds < UNITS[-2][1]:
        return f"{seconds:.3g} s"
    rest = round(seconds)
    parts: list[str] = []
    for unit, size in UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(filter(None, parts[:2]))


def format_age(timestamp: int | None) -> str:
    """Return how long ago a time was, in milliseconds since 1970."""
    if timestamp is None:
        return "-"
    seconds = max(0.0, time.time() - timestamp / 1000)
    unit, size = next((each for each in UNITS if seconds >= each[1]), UNITS[-1])
    return f"{int(seconds // size)} {unit} ago"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows, the first of which is the header, in aligned columns."""
    lines = [[make_printable(text) for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def describe_since(metric: Mapping[str, Any]) -> str:
    """Return the iteration since which a metric has not been finite, and its age."""
    iteration, timestamp = metric["since_iteration"], metric["since_timestamp"]
    parts = [] if iteration is None else [f"since iteration {format_number(iteration)}"]
    return ", ".join([*parts, *([] if timestamp is None else [format_age(timestamp)])]) or "since an unknown time"


def draw_sparkline(values: Sequence[float], width: int) -> str:
    """Return ``values`` as a line of at most ``width`` blocks; each shows the value farthest from the median of all.

    So spikes remain visible even if each block represents many values.
    """
    least, greatest = min(values), max(values)
    middle = sorted(values)[len(values) // 2]
    count = min(width, len(values))
    line = []
    for place in range(count):
        part = values[place * len(values) // count : (place + 1) * len(values) // count]
        value = max(part, key=lambda each: abs(each - middle))
        share = 0.5 if greatest == least else (value - least) / (greatest - least)
        line.append(BLOCKS[min(len(BLOCKS) - 1, int(share * len(BLOCKS)))])
    return "".join(line)

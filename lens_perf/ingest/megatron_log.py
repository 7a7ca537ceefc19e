"""Reads the iteration lines of Megatron-LM and what descends from it: Megatron-core, DeepSpeed, Primus, GPT-NeoX.

``... iteration N/ M | name: value | name: value |``, behind a prefix of times, ranks and log levels.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from lens_perf.ingest.log_lines import strip_colours
from lens_perf.ingest.metric_names import MEMORY_FIELD, find_field, parse_number, read_unit, spell_name
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import MetricValue, Record

ITERATION_LINE = re.compile(r"(?P<prefix>.*?)\biteration\s+(?P<iteration>\d+)/\s*(?P<target>\d+)(?P<fields>.*)")
# GPT-NeoX prints one field ahead of the iteration.
LEADING_FIELD = re.compile(r"(?:^|\s)([A-Za-z/]+:\s*[^|]+)\|\s*$")
MEGATRON_TIME = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)\]")
PRIMUS_TIME = re.compile(r"\[(\d{8} \d\d:\d\d:\d\d)\]")
PAIR = re.compile(r"([^/]+)/([^/]+)")

ELAPSED = "elapsed_time_per_iteration_ms"
NOT_AN_ITERATION = "lines that report no iteration"


class MegatronLogReader:
    """Turns lines into records, counting in ``summary`` what it meets.

    Times without a zone are taken to be in ``timezone``. Where the lines tell none, records are timed from
    ``start_time`` by the elapsed times, or, without it, not at all.
    """

    def __init__(self, summary: ReadSummary, timezone: tzinfo = UTC, start_time: datetime | None = None) -> None:
        self._summary = summary
        self._timezone = timezone
        self._clock = start_time
        self._serial = 0
        self._last: Record | None = None

    def read_records(self, lines: Iterable[str]) -> Iterator[Record]:
        """Yield a record for each iteration line, but one for a line that is printed twice in a row."""
        for line in lines:
            self._summary.lines += 1
            match = ITERATION_LINE.match(strip_colours(line)) if "iteration" in line else None
            if match is None:
                self._summary.skip(NOT_AN_ITERATION)
            elif "|" not in match["fields"]:
                self._summary.skip("iteration lines without fields, perhaps cut off", line)
            else:
                yield from self._read_iteration(match)

    def _read_iteration(self, match: re.Match[str]) -> Iterator[Record]:
        performance = self._read_fields(match["prefix"], match["fields"])
        performance["target_iteration"] = int(match["target"])
        told = self._read_time(match["prefix"])
        iteration = int(match["iteration"])
        if self._last and (iteration, performance) == (self._last.iteration, self._last.performance):
            self._summary.skip("iteration lines printed twice")
            return
        if self._last and iteration <= self._last.iteration:
            self._serial += 1
            self._summary.restarts += 1
        self._last = Record(iteration, told or self._reckon_time(performance), self._serial, performance)
        self._note(self._last)
        yield self._last

    def _read_fields(self, prefix: str, fields: str) -> dict[str, MetricValue]:
        leading = LEADING_FIELD.search(prefix)
        found: dict[str, MetricValue] = {}
        for text in [*([leading[1]] if leading else []), *fields.split("|")]:
            name, colon, value = text.rpartition(":")
            if not colon:
                continue
            numbers = _read_memory(name.strip(), value.strip()) or _read_numbers(name.strip(), value.strip())
            if numbers is None:
                self._summary.skip("fields that are no numbers", text)
            else:
                found.update(numbers)
        return found

    def _read_time(self, prefix: str) -> datetime | None:
        if found := MEGATRON_TIME.findall(prefix):
            return datetime.fromisoformat(found[-1]).replace(tzinfo=self._timezone)
        if found := PRIMUS_TIME.findall(prefix):
            return datetime.strptime(found[-1], "%Y%m%d %H:%M:%S").replace(tzinfo=self._timezone)
        return None

    def _reckon_time(self, performance: dict[str, MetricValue]) -> datetime | None:
        elapsed = performance.get(ELAPSED)
        if self._clock is None or not isinstance(elapsed, (int, float)):
            return None
        self._clock += timedelta(milliseconds=elapsed)
        self._summary.time_basis = "the start time given and the elapsed times"
        return self._clock

    def _note(self, record: Record) -> None:
        self._summary.note_iteration(record.iteration)
        self._summary.without_time += record.created_at is None
        self._summary.metrics.update(record.performance.keys())
        self._summary.non_finite += sum(isinstance(value, str) for value in record.performance.values())


def _read_memory(name: str, value: str) -> dict[str, MetricValue] | None:
    """Return the numbers of a memory field, whose name lists them, each under a name with its unit."""
    match = MEMORY_FIELD.fullmatch(name.lower())
    parts, values = (match["parts"].split("/"), value.split("/")) if match else ([], [])
    if match is None or len(parts) != len(values):
        return None
    device = spell_name(match["device"])
    found: dict[str, MetricValue] = {f"{device}_rank": int(match["rank"])} if match["rank"] else {}
    for part, text in zip(parts, values, strict=True):
        number, unit = parse_number(text), read_unit(text)
        if number is None:
            return None
        percent = unit == "%"
        found[f"{device}_{part.removesuffix('_ratio')}_{'percent' if percent else unit.lower()}".rstrip("_")] = number
    return found


def _read_numbers(name: str, value: str) -> dict[str, MetricValue] | None:
    """Return the number of a field, or the two of a current/average pair."""
    field = find_field(name)
    pair = PAIR.fullmatch(value)
    current, average = (pair[1], pair[2]) if pair else (value, None)
    number = parse_number(current, field.factor)
    if number is None:
        return None
    if average is None:
        return {field.name: number}
    mean = parse_number(average, field.factor)
    return None if mean is None else {field.name: number, f"{field.name}_average": mean}

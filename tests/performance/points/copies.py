"""A columnar copy in memory with the interface of stored ones, and the expected data points of its records."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lens_perf.performance.blocks import order_as_stored
from lens_perf.performance.columns.field_columns import Representation
from lens_perf.performance.metric_fields import NON_FINITE, WANDB_METADATA_FIELDS
from lens_perf.performance.selection import Selection

FIXED = {
    "id": pl.Int64,
    "created_at": pl.Int64,
    "iteration": pl.Int32,
    "serial": pl.Int32,
    "data_source": pl.String,
}
TO_2000 = 946_684_800_000
INFINITIES = (-(2**63), 2**63 - 1)
CODES = {f'"{word}"': code for code, word in enumerate(NON_FINITE, start=1)}


@dataclass(frozen=True)
class Record:
    """A record; ``values`` are the JSON texts of its fields."""

    id: int
    created_us: int | None = None
    iteration: int | None = None
    serial: int | None = None
    source: str | None = "log"
    values: dict[str, str] = field(default_factory=dict)

    @property
    def timestamp(self) -> int | None:
        if self.created_us is None or self.created_us in INFINITIES:
            return None
        return self.created_us // 1000 + TO_2000

    @property
    def order(self) -> tuple[Any, ...]:
        return self.created_us is None, self.created_us or 0, self.id

    def fields(self) -> dict[str, str]:
        hidden = WANDB_METADATA_FIELDS if self.source == "wandb" else ()
        return {name: self.values[name] for name in sorted(self.values, key=order_as_stored) if name not in hidden}


@dataclass(frozen=True)
class Stats:
    count: int = 0
    non_finite: int = 0


def is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9.]+", text) is not None and abs(float(text)) < float("inf")


def is_point(text: str, *, non_finite: bool) -> bool:
    return is_number(text) or (non_finite and text in CODES)


class MemoryCopy:
    """The records in blocks of at most ``size``."""

    parts = ()

    def __init__(self, records: Sequence[Record], size: int = 4) -> None:
        self._records = sorted(records, key=lambda record: record.order)
        self._size = size
        self.records = len(records)
        self.sources: dict[str | None, int] = {}
        self.fields: dict[tuple[str | None, str], Stats] = {}
        for record in records:
            self.sources[record.source] = self.sources.get(record.source, 0) + 1
            for name, text in record.fields().items():
                stats = self.fields.get((record.source, name), Stats())
                self.fields[record.source, name] = Stats(
                    stats.count + is_number(text), stats.non_finite + (text in CODES)
                )
        self.names = {name for _source, name in self.fields}

    def blocks(
        self,
        fields: Sequence[str] | None,
        *,
        columns: Sequence[str] = tuple(FIXED),
        keep_entries: bool = False,  # noqa: ARG002 - the protocol's
        only: Representation | None = None,
    ) -> Iterator[pl.DataFrame]:
        for start in range(0, self.records, self._size):
            records = self._records[start : start + self._size]
            rows = [(each.id, each.created_us, each.iteration, each.serial, each.source) for each in records]
            frame = pl.DataFrame(rows, schema=FIXED, orient="row").select(columns)
            names = {name for record in records for name in record.fields()}
            wanted = sorted(names) if fields is None else [name for name in fields if name in names]
            texts = {name: [record.fields().get(name) for record in records] for name in wanted}
            columns_of = (build_columns(name, texts[name], only=only) for name in wanted)
            yield frame.with_columns(column for found in columns_of for column in found)


def build_columns(name: str, texts: list[str | None], *, only: Representation | None = None) -> Iterator[pl.Series]:
    numbers = [text if text is not None and is_number(text) else None for text in texts]
    present = [text for text in numbers if text is not None]
    if present:
        integers = all(re.fullmatch("-?[0-9]+", text) and -(2**63) <= int(text) < 2**63 for text in present)
        convert, dtype = (int, pl.Int64) if integers else (float, pl.Float64)
        values = pl.Series(f"v:{name}", [text and convert(text) for text in numbers], dtype)
        has_texts = values.cast(pl.String).to_list() != numbers
        if has_texts and only != "value":
            yield pl.Series(f"t:{name}", numbers, pl.String)
        if not (has_texts and only == "text"):
            yield values
    codes = [CODES.get(text or "") for text in texts]
    if any(codes):
        yield pl.Series(f"n:{name}", codes, pl.UInt8)


def in_selection(record: Record, selection: Selection, serials: Sequence[int] = ()) -> bool:
    if selection.data_source is not None and record.source != selection.data_source:
        return False
    if selection.time_range is not None and (
        record.timestamp is None or not selection.time_range[0] <= record.timestamp <= selection.time_range[1]
    ):
        return False
    if selection.iteration_range is not None and (
        record.iteration is None or not selection.iteration_range[0] <= record.iteration <= selection.iteration_range[1]
    ):
        return False
    return not serials or record.serial in serials


def list_expected(
    records: Sequence[Record],
    selection: Selection,
    names: Sequence[str] | None = None,
    *,
    non_finite: bool = False,
    serials: Sequence[int] = (),
) -> list[dict[str, Any]]:
    """Return the points with their values as JSON texts."""
    return [
        write_point(name, fields[name], record)
        for record in sorted(records, key=lambda each: each.order)
        if in_selection(record, selection, serials)
        for fields in [record.fields()]
        for name in (fields if names is None else names)
        if name in fields and is_point(fields[name], non_finite=non_finite)
    ]


def write_point(name: str, text: str, record: Record) -> dict[str, Any]:
    return {
        "metric_name": name,
        "value": text,
        "timestamp": record.timestamp,
        "iteration": record.iteration,
        "data_source": record.source,
        "serial": record.serial,
    }


def parse_strict(text: str | bytes) -> Any:
    """Parse JSON; numbers remain texts."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(text, parse_int=str, parse_float=str, parse_constant=refuse)

"""Stores fields that few records have as a list of entries in each record.

Columns for thousands of such fields would take time and memory proportional to records times fields.
"""

from collections.abc import Collection, Iterator
from typing import Final

import numpy as np
import polars as pl

from lens_perf.performance.columns.field_columns import (
    NON_FINITE,
    OTHER,
    REST,
    TEXT,
    VALUE,
    build_numbers,
    is_rendered,
    list_fields,
)
from lens_perf.performance.columns.number_text import NON_FINITE_CODES, render
from lens_perf.performance.metric_fields import WANDB, WANDB_METADATA_FIELDS

# Data points have ``text`` and ``value``, NaN and the infinities have ``code``, other values have none of these. In a
# part, a field has either columns or entries.
ENTRY: Final = pl.Struct({"name": pl.String, "text": pl.String, "value": pl.Float64, "code": pl.UInt8})
# The maximum of records times fields in a frame whose entries become columns.
MOST_CELLS = 500_000


def build_rest(entries: pl.DataFrame, data_sources: pl.Series) -> pl.Series:
    """Return the column REST, with a row for each of ``data_sources``.

    ``entries`` has the ``row`` of the record, the ``name`` of the field and the JSON ``text`` of each value.
    """
    sources = data_sources.gather(entries["row"])
    hidden = entries["name"].is_in(WANDB_METADATA_FIELDS) & sources.eq_missing(pl.Series([WANDB]))
    value = pl.col("text").cast(pl.Float64, strict=False)
    described = (
        entries.filter(~hidden)
        .with_columns(
            pl.when(value.is_finite()).then(value).alias("value"),
            pl.col("text").replace_strict(NON_FINITE_CODES, default=None, return_dtype=pl.UInt8).alias("code"),
        )
        .with_columns(pl.when(pl.col("value").is_not_null()).then(pl.col("text")).alias("text"))
    )
    return _collect(described, len(data_sources))


def _collect(entries: pl.DataFrame, height: int) -> pl.Series:
    """Return a column of ``height`` rows with the list of ``entries`` of each row, null without entries."""
    lists = entries.group_by("row", maintain_order=True).agg(pl.struct(*ENTRY.to_schema()).alias(REST))
    rows = pl.DataFrame({"row": np.arange(height, dtype=np.int64)})
    joined = rows.join(lists.cast({"row": pl.Int64}), on="row", how="left", maintain_order="left")
    return joined[REST].cast(pl.List(ENTRY))


def read_rest(frame: pl.DataFrame, names: Collection[str] | None = None) -> pl.DataFrame:
    """Return the entries with ``names``, None for all, by row. The columns are ``row`` and those of ENTRY."""
    if REST not in frame.columns:
        return pl.DataFrame(schema={"row": pl.Int64, **ENTRY.to_schema()})
    rest = frame.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), REST).drop_nulls(REST)
    entries = rest.explode(REST).unnest(REST)
    if names is None:
        return entries
    return entries.filter(pl.col("name").is_in(pl.Series(list(names), dtype=pl.String).implode()))


def expand_rest(frame: pl.DataFrame, names: Collection[str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield the records of ``frame`` with columns instead of entries for the fields ``names``, None for all.

    A frame has at most about MOST_CELLS cells of these columns.
    """
    if REST not in frame.columns:
        yield frame
        return
    entries = read_rest(frame, names)
    rows = max(1, MOST_CELLS // max(1, entries["name"].n_unique()))
    if len(frame) <= rows:
        yield frame.drop(REST).hstack(_spread(entries, len(frame)))
        return
    # Pieces usually have fewer fields, so the limit is checked again for each.
    for piece in frame.iter_slices(-(-len(frame) // max(2, min(len(frame) // rows, 16)))):
        yield from expand_rest(piece, names)


def _spread(entries: pl.DataFrame, height: int) -> list[pl.Series]:
    """Return the columns of all fields of ``entries``."""
    found: list[pl.Series] = []
    for (name,), own in entries.partition_by("name", as_dict=True, maintain_order=True).items():
        positions = np.full(height, -1, dtype=np.int32)
        positions[own["row"].to_numpy()] = np.arange(len(own), dtype=np.int32)
        index = pl.Series(positions)
        index = index.set(index < 0, None)
        if own["value"].null_count() < len(own):
            found += build_numbers(str(name), own["text"].gather(index), own["value"].gather(index))
        if own["code"].null_count() < len(own):
            found.append(own["code"].gather(index).alias(NON_FINITE + str(name)))
        others = own["value"].is_null() & own["code"].is_null()
        if others.any():
            found.append(others.gather(index).fill_null(value=False).alias(OTHER + str(name)))
    return found


def merge_rest(frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``frame`` with the entries of fields that also have columns moved to these columns."""
    if REST not in frame.columns:
        return frame
    entries = read_rest(frame)
    both = set(list_fields(frame.columns)) & set(entries["name"].unique())
    if not both:
        return frame
    is_both = entries["name"].is_in(pl.Series(list(both), dtype=pl.String).implode())
    moved = pl.DataFrame(_spread(entries.filter(is_both), len(frame)))
    kept = entries.filter(~is_both)
    merged = frame.drop(REST).with_columns(series for name in both for series in _coalesce(frame, moved, name))
    merged = merged.drop(
        [
            TEXT + name
            for name in both
            if TEXT + name in merged.columns and is_rendered(merged[VALUE + name], merged[TEXT + name])
        ]
    )
    return merged.with_columns(_collect(kept, len(frame))) if len(kept) else merged


def _coalesce(frame: pl.DataFrame, moved: pl.DataFrame, name: str) -> Iterator[pl.Series]:
    """Yield the columns of a field that has values of different records in both frames."""
    numbers = [each[VALUE + name] for each in (frame, moved) if VALUE + name in each.columns]
    if len(numbers) == 1:
        yield numbers[0]
    if len(numbers) > 1:
        texts = [_read_texts(each, name) for each in (frame, moved)]
        dtype = pl.Int64 if all(each.dtype == pl.Int64 for each in numbers) else pl.Float64
        one, other = (each.cast(dtype) for each in numbers)
        yield one.zip_with(one.is_not_null(), other)
        yield texts[0].zip_with(texts[0].is_not_null(), texts[1]).alias(TEXT + name)
    elif numbers:
        yield from (each[TEXT + name] for each in (frame, moved) if TEXT + name in each.columns)
    for kind in (NON_FINITE, OTHER):
        found = [each[kind + name] for each in (frame, moved) if kind + name in each.columns]
        if len(found) == 1:
            yield found[0]
        elif found:
            is_set = found[0] if kind == OTHER else found[0].is_not_null()
            yield found[0].zip_with(is_set, found[1])


def _read_texts(frame: pl.DataFrame, name: str) -> pl.Series:
    return frame[TEXT + name] if TEXT + name in frame.columns else render(frame[VALUE + name])

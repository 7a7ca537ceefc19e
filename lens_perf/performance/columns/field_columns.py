"""Builds the columns ``v:``, ``t:``, ``n:`` and ``o:`` of fields from the JSON texts of values, and joins frames."""

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Literal

import numpy as np
import polars as pl

from lens_perf.performance.columns.number_text import NON_FINITE_CODES, render
from lens_perf.performance.metric_fields import WANDB, WANDB_METADATA_FIELDS

FIXED = {
    "id": pl.Int64(),
    "created_at": pl.Int64(),
    "iteration": pl.Int32(),
    "serial": pl.Int32(),
    "data_source": pl.String(),
}
# The columns of a field NAME: v:NAME has its numbers, t:NAME their stored texts if ``render`` returns other texts,
# n:NAME the codes of NaN and the infinities, and o:NAME is true where the value is of any other kind.
VALUE, TEXT, NON_FINITE, OTHER = "v:", "t:", "n:", "o:"
# How a data point is read: as its stored text, or as a number.
Representation = Literal["text", "value"]
# The column of the fields without columns of their own: see ``rest``.
REST = "rest"
FIRST_VALUES = 64
# Arrow stores texts up to this many bytes in the column itself, and longer ones as references to a buffer.
LONGEST_INLINE = 12


def list_fields(columns: Iterable[str]) -> list[str]:
    """Return the fields to which ``columns`` belong, each once, in the order of their first column."""
    return list(dict.fromkeys(column[2:] for column in columns if column not in FIXED and column != REST))


def build_columns(frame: pl.DataFrame, data_sources: pl.Series) -> list[pl.Series]:
    """Return the columns of all fields. ``frame`` has the JSON text of each value as ``t:`` and its number as ``v:``.

    The fields with metadata of W&B are left out of records with the data source wandb.
    """
    names = list_fields(frame.columns)
    hidden = [kind + name for name in names if name in WANDB_METADATA_FIELDS for kind in (TEXT, VALUE)]
    if hidden:
        is_shown = data_sources.ne_missing(pl.Series([WANDB]))
        frame = frame.with_columns(pl.when(is_shown).then(pl.col(hidden)))
    columns = {series.name: series for series in frame.iter_columns()}
    numbers: list[pl.Series] = []
    others: list[pl.Series] = []
    # Operations on single columns take a few microseconds each; expressions wake up the threads of polars.
    for name in names:
        texts, values = columns[TEXT + name], drop_infinite(columns[VALUE + name])
        if values.null_count() > texts.null_count():
            others += _build_others(name, texts, values)
            texts = texts.set(values.is_null(), None)
        if values.null_count() < len(values):
            numbers += build_numbers(name, texts, values)
    return [*numbers, *others]


def drop_infinite(values: pl.Series) -> pl.Series:
    """Return ``values`` with null for numbers outside the range of float64."""
    if values.max() == inf or values.min() == -inf:
        return values.set(values.is_infinite(), None)
    return values


def _build_others(name: str, texts: pl.Series, values: pl.Series) -> list[pl.Series]:
    """Return the columns for the values that are not data points."""
    codes = texts.replace_strict(NON_FINITE_CODES, default=None, return_dtype=pl.UInt8)
    others = texts.is_not_null() & values.is_null() & codes.is_null()
    return ([codes.alias(NON_FINITE + name)] if codes.null_count() < len(codes) else []) + (
        [others.alias(OTHER + name)] if others.any() else []
    )


def build_numbers(name: str, texts: pl.Series, values: pl.Series) -> list[pl.Series]:
    """Return the columns ``v:`` and, if needed, ``t:`` of a field with data points; ``texts`` are their JSON texts.

    The numbers are Int64 if all of them are stored as int64.
    """
    first = texts[int(np.isnan(values.to_numpy()).argmin()) if values.has_nulls() else 0]
    if "." not in first:
        integers = texts.cast(pl.Int64, strict=False)
        values = integers if integers.null_count() == values.null_count() else values
    kept = [] if is_rendered(values, texts) else [texts.alias(TEXT + name)]
    return [values.alias(VALUE + name), *kept]


def is_rendered(values: pl.Series, texts: pl.Series) -> bool:
    """Return whether ``texts`` are the rendered ``values``."""
    # Comparing the first values is enough for most columns whose stored texts differ.
    counts = (FIRST_VALUES, len(values)) if len(values) > FIRST_VALUES else (len(values),)
    return all((render(values.head(count)) == texts.head(count)).all() for count in counts)


def copy_long_texts(columns: Sequence[pl.Series]) -> list[pl.Series]:
    """Return ``columns`` with copies of long texts. References would keep complete rows of the COPY in memory."""
    texts = pl.DataFrame([each for each in columns if each.dtype == pl.String])
    lengths = texts.select(pl.all().str.len_bytes().max()).row(0, named=True) if texts.width else {}
    long = [name for name, length in lengths.items() if length > LONGEST_INLINE]
    copied = texts.select(pl.concat_str(name, pl.lit("")).alias(name) for name in long)
    copies = {each.name: each for each in copied.iter_columns()}
    return [copies.get(each.name, each) for each in columns]


def join(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the records of all ``frames`` as one frame. A field is Int64 if it is in all of them, else Float64."""
    if len(frames) == 1:
        return frames[0]
    schemas = [dict(frame.schema) for frame in frames]
    types: dict[str, set[pl.DataType]] = {}
    for schema in schemas:
        for name, kind in schema.items():
            types.setdefault(name, set()).add(kind)
    values = [name for name in types if name.startswith(VALUE)]
    floats = {name for name in values if len(types[name]) > 1}
    with_text = floats | {name for name in values if TEXT + name.removeprefix(VALUE) in types}
    adapted = [_adapt(frame, schema, floats, with_text) for frame, schema in zip(frames, schemas, strict=True)]
    return pl.concat(adapted, how="diagonal")


def _adapt(
    frame: pl.DataFrame, schema: Mapping[str, pl.DataType], floats: set[str], with_text: set[str]
) -> pl.DataFrame:
    """Return ``frame`` with the columns ``floats`` as Float64, and with the texts of the columns ``with_text``."""
    columns = {series.name: series for series in frame.iter_columns()}
    for name in with_text & set(schema):
        text = TEXT + name.removeprefix(VALUE)
        if text not in schema:
            columns[text] = render(columns[name]).alias(text)
        if name in floats and schema[name] == pl.Int64:
            columns[name] = columns[name].cast(pl.Float64)
    return pl.DataFrame(list(columns.values()))

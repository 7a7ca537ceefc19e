"""From the JSON texts of a field's values to its columns ``v:``, ``t:``, ``n:`` and ``o:``, and such columns joined."""

from collections.abc import Iterable, Sequence

import polars as pl

from lens_perf.performance.columns.number_text import NON_FINITE_CODES, gives_back, parse_numbers, render
from lens_perf.performance.metric_fields import WANDB, WANDB_METADATA_FIELDS

FIXED = {
    "id": pl.Int64(),
    "created_at": pl.Int64(),
    "iteration": pl.Int32(),
    "serial": pl.Int32(),
    "data_source": pl.String(),
}
# Of a field NAME: v:NAME its numbers, t:NAME their stored texts where they are not rendered alike, n:NAME the codes of
# NaN and the infinities, o:NAME true where it has any other value.
VALUE, TEXT, NON_FINITE, OTHER = "v:", "t:", "n:", "o:"


def list_fields(columns: Iterable[str]) -> list[str]:
    """Return the fields that ``columns`` are of, each once, in the order of their first column."""
    return list(dict.fromkeys(column[2:] for column in columns if column not in FIXED))


def build_field(name: str, texts: pl.Series, data_sources: pl.Series) -> list[pl.Series]:
    """Return the columns of the field ``name`` from ``texts``, the JSON texts of its values; null where it has none.

    The metadata that W&B's integration stores beside the metrics is hidden.
    """
    if name in WANDB_METADATA_FIELDS:
        texts = _choose(texts, data_sources.ne_missing(pl.Series([WANDB])))
    columns = []
    values = parse_numbers(texts)
    if values.null_count() < len(values):
        columns.append(values.alias(VALUE + name))
        numbers = _choose(texts, values.is_not_null())
        if not gives_back(values, numbers):
            columns.append(numbers.alias(TEXT + name))
    if values.null_count() > texts.null_count():
        codes = texts.replace_strict(NON_FINITE_CODES, default=None, return_dtype=pl.UInt8)
        others = texts.is_not_null() & values.is_null() & codes.is_null()
        if codes.null_count() < len(codes):
            columns.append(codes.alias(NON_FINITE + name))
        if others.any():
            columns.append(others.alias(OTHER + name))
    return columns


def _choose(texts: pl.Series, mask: pl.Series) -> pl.Series:
    """Return ``texts`` with null where ``mask`` is false."""
    if mask.all():
        return texts
    return pl.select(pl.when(mask).then(texts)).to_series()


def join(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the records of ``frames`` one below the other, each field with one type: Float64 unless all are Int64."""
    if len(frames) == 1:
        return frames[0]
    names = dict.fromkeys(name for frame in frames for name in frame.columns)
    floats = {
        name for name in names if name.startswith(VALUE) and len({_type(each, name) for each in frames} - {None}) > 1
    }
    with_text = {
        VALUE + name.removeprefix(TEXT) for name in names if name.startswith(TEXT) and name not in FIXED
    } | floats
    adapted = [_adapt(frame, floats, with_text) for frame in frames]
    return pl.concat(adapted, how="diagonal").rechunk()


def _type(frame: pl.DataFrame, name: str) -> pl.DataType | None:
    return frame.schema.get(name)


def _adapt(frame: pl.DataFrame, floats: set[str], with_text: set[str]) -> pl.DataFrame:
    """Return ``frame`` with the columns ``floats`` as Float64 and texts for all of ``with_text``."""
    changed: list[pl.Series] = []
    for name in with_text & set(frame.columns):
        text = TEXT + name.removeprefix(VALUE)
        if text not in frame.columns:
            changed.append(render(frame[name]).alias(text))
        if name in floats and frame.schema[name] == pl.Int64:
            changed.append(frame[name].cast(pl.Float64))
    return frame.with_columns(changed) if changed else frame

"""Builds the columns ``v:``, ``t:``, ``n:`` and ``o:`` of fields from the JSON texts of values, and joins frames."""

from collections.abc import Iterable, Mapping, Sequence

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
    frame = drop_infinite(frame)
    nulls = frame.null_count().row(0, named=True)
    numeric = [name for name in names if nulls[VALUE + name] < len(frame)]
    odd = [name for name in names if nulls[VALUE + name] > nulls[TEXT + name]]
    others = [series for name in odd for series in _build_others(name, frame[TEXT + name], frame[VALUE + name])]
    numbers = frame.select([kind + name for name in numeric for kind in (VALUE, TEXT)]).with_columns(
        pl.when(pl.col(VALUE + name).is_not_null()).then(pl.col(TEXT + name)) for name in set(odd) & set(numeric)
    )
    numbers = use_integers(numbers, numeric)
    return [*copy_long_texts(numbers.drop(list_rendered(numbers, numeric))).iter_columns(), *others]


def _build_others(name: str, texts: pl.Series, values: pl.Series) -> list[pl.Series]:
    """Return the columns for the values that are not data points."""
    codes = texts.replace_strict(NON_FINITE_CODES, default=None, return_dtype=pl.UInt8)
    others = texts.is_not_null() & values.is_null() & codes.is_null()
    return ([codes.alias(NON_FINITE + name)] if codes.null_count() < len(codes) else []) + (
        [others.alias(OTHER + name)] if others.any() else []
    )


def drop_infinite(frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``frame`` with null for numbers outside the range of float64."""
    columns = [name for name in frame.columns if name.startswith(VALUE)]
    found = frame.select(pl.col(columns).is_infinite().any()).row(0, named=True) if columns else {}
    infinite = [name for name in columns if found[name]]
    return frame.with_columns(pl.when(pl.col(infinite).is_finite()).then(pl.col(infinite))) if infinite else frame


def use_integers(numbers: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return ``numbers`` with those fields as Int64 whose numbers are all stored as int64."""
    firsts = numbers.select(pl.col(TEXT + name).drop_nulls().first() for name in names).row(0) if names else ()
    whole = [name for name, first in zip(names, firsts, strict=True) if "." not in first]
    integers = numbers.select(pl.col(TEXT + name).cast(pl.Int64, strict=False).alias(VALUE + name) for name in whole)
    nulls = numbers.null_count().row(0, named=True)
    return numbers.with_columns(each for each in integers.iter_columns() if each.null_count() == nulls[each.name])


def list_rendered(numbers: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the ``t:`` columns that are equal to the rendered ``v:`` columns."""
    names = list(names)
    # Comparing the first values rules out most columns whose stored texts differ.
    for part in (numbers.head(FIRST_VALUES), numbers) if len(numbers) > FIRST_VALUES else (numbers,):
        if not names:
            break
        same = part.select(render(pl.col(VALUE + name)).eq(pl.col(TEXT + name)).all().alias(name) for name in names)
        names = [name for name, alike in same.row(0, named=True).items() if alike]
    return [TEXT + name for name in names]


def copy_long_texts(numbers: pl.DataFrame) -> pl.DataFrame:
    """Return ``numbers`` with copies of long texts. References would keep complete rows of the COPY in memory."""
    columns = [name for name in numbers.columns if name.startswith(TEXT)]
    lengths = numbers.select(pl.col(columns).str.len_bytes().max()).row(0, named=True) if columns else {}
    long = [name for name in columns if lengths[name] > LONGEST_INLINE]
    return numbers.with_columns(pl.concat_str(name, pl.lit("")).alias(name) for name in long)


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
    changed: list[pl.Expr] = []
    for name in with_text & set(schema):
        text = TEXT + name.removeprefix(VALUE)
        if text not in schema:
            changed.append(render(pl.col(name)).alias(text))
        if name in floats and schema[name] == pl.Int64:
            changed.append(pl.col(name).cast(pl.Float64))
    return frame.with_columns(changed) if changed else frame

"""Formats the points of a block for the CSV writer of polars, whatever the text encoding.

A record becomes a line whose cells are parts of its points: the commas between cells are also those within points.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lens_perf.performance.blocks import Block
from lens_perf.performance.columns.times import read_milliseconds, to_milliseconds
from lens_perf.performance.points.text_encodings import TextEncoding

COMMA = ","


def write_tail(
    encoding: TextEncoding, fields: Sequence[str], origin: Mapping[str, str], frame: pl.DataFrame
) -> pl.Expr:
    """Return the last cell of all points of a record: its ``fields``, and the texts of ``origin``."""
    pieces: list[pl.Expr] = []
    for field in fields:
        comma = COMMA if pieces else ""
        pieces += [pl.lit(comma + encoding.write_label(field)), _write_field(encoding, field, frame)]
    return pl.concat_str([*pieces, pl.lit(encoding.write_tail(origin))])


def _write_field(encoding: TextEncoding, field: str, frame: pl.DataFrame) -> pl.Expr:
    if field == "data_source":
        # Unlike ``unique``, this does not wake up the threads of polars.
        sources = frame["data_source"].value_counts().to_series().to_list()
        texts = [encoding.write_source(source) for source in sources]
        return pl.col("data_source").replace_strict(sources, texts, return_dtype=pl.String)
    value = to_milliseconds() if field == "timestamp" else pl.col(field)
    return value.cast(pl.String).fill_null(encoding.null)


def write_few(
    encoding: TextEncoding,
    fields: Sequence[str],
    origin: Mapping[str, str],
    points: pl.DataFrame,
    names: Sequence[str],
) -> str:
    """Return the text of ``points``, a frame of ``list_points``, each followed by the separator."""
    heads = [encoding.write_head(name) for name in names]
    columns = [[heads[index] for index in points["field"].to_list()], points["text"].to_list()]
    for field in fields:
        values = list_values(points, field)
        if field == "data_source":
            texts = {source: encoding.write_source(source) for source in set(values)}
            values = [texts[source] for source in values]
        columns.append([encoding.null if value is None else value for value in values])
    shared = dict.fromkeys(fields, "%s") | {name: text.replace("%", "%%") for name, text in origin.items()}
    point = "%s%s" + encoding.write_tail(shared) + encoding.separator
    return "".join([point % cells for cells in zip(*columns, strict=True)])


def list_values(points: pl.DataFrame, field: str) -> list[Any]:
    """Return the value of a field of the record of each point: an integer or text, None for null."""
    if field == "timestamp":
        return list(map(read_milliseconds, points["created_at"].to_list()))
    return points[field].to_list()


def write_cells(encoding: TextEncoding, block: Block, counts: Mapping[str, int]) -> list[pl.Expr]:
    """Return the cells of a line for each record of ``block``, whose column ``tail`` is the last cell of each point.

    ``counts`` has the number of data points of each field. If only some records have a field, its points are complete
    texts within the previous cell, or before the first name.
    """
    separator = encoding.separator
    if max(counts.values()) < block.height:
        points = [_write_point(encoding, block, field) for field in counts]
        return [pl.concat_str(points, separator=separator, ignore_nulls=True)]
    cells: list[list[pl.Expr]] = [[]]
    for field, count in counts.items():
        begun = len(cells) > 1
        if count < block.height:
            prefix, suffix = (separator, "") if begun else ("", separator)
            cells[-1].append(_write_point(encoding, block, field, prefix, suffix))
            continue
        if begun and separator == COMMA:
            cells.append([])
        elif begun:
            cells[-1].append(pl.lit(separator))
        cells[-1].append(pl.lit(encoding.write_name(field)))
        cells += [[pl.lit(encoding.write_label("value")), block.build_text_expression(field)], [pl.col("tail")]]
    return [
        (pl.concat_str(pieces, ignore_nulls=True) if len(pieces) > 1 else pieces[0]).alias(str(index))
        for index, pieces in enumerate(cells)
    ]


def _write_point(encoding: TextEncoding, block: Block, field: str, prefix: str = "", suffix: str = "") -> pl.Expr:
    """Return the complete text of a point between ``prefix`` and ``suffix``; null without a point."""
    head = pl.lit(prefix + encoding.write_head(field))
    return pl.concat_str(head, block.build_text_expression(field), pl.lit(COMMA), "tail", pl.lit(suffix))

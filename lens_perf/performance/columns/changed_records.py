"""Finds the records of a frame that a copy already has with the same values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from lens_perf.performance.columns.field_columns import FIXED, NON_FINITE, OTHER, TEXT, VALUE, list_fields
from lens_perf.performance.columns.number_text import render
from lens_perf.performance.columns.part_list import Ids, PartList
from lens_perf.performance.columns.rest import read_rest

# If a part has more of the ids of a frame than this, all of these records are written again, which only costs time.
MOST_COMPARED = 2_000


def find_identical(parts: PartList, frame: pl.DataFrame, ids: Ids) -> Ids:
    """Return the ids of records that are equal in ``frame`` and ``parts``. ``ids`` are the sorted ids of ``frame``.

    Raises DamagedPartError.
    """
    identical = [ids[:0]]
    for part, found in parts.find(ids):
        if len(found) > MOST_COMPARED:
            continue
        old = parts.open(part).read()
        old_records = _describe(old.filter(np.isin(old["id"].to_numpy(), found)))
        new_records = _describe(frame.filter(np.isin(frame["id"].to_numpy(), found)))
        same = [id_ for id_, record in new_records.items() if old_records[id_] == record]
        identical.append(np.array(same, dtype=np.int64))
    return np.concatenate(identical)


def _describe(frame: pl.DataFrame) -> Mapping[int, Any]:
    """Return the records of ``frame`` by id, as values that do not depend on the layout of the columns."""
    records: dict[int, tuple[Any, set[Any]]] = {row[0]: (row, set()) for row in frame.select(*FIXED).iter_rows()}
    fields = list(records.values())
    columns = {series.name: series for series in frame.iter_columns()}
    for name in list_fields(columns):
        for number, described in enumerate(zip(*_describe_field(columns, name), strict=True)):
            if any(described):
                fields[number][1].add((name, *described))
    for row, name, text, _value, code in read_rest(frame).iter_rows():
        fields[row][1].add((name, text, code, (text is None and code is None) or None))
    return records


def _describe_field(columns: Mapping[str, pl.Series], name: str) -> list[list[Any]]:
    nothing = [None] * len(columns["id"])
    found = [
        columns[kind + name].to_list() if kind + name in columns else nothing for kind in (TEXT, NON_FINITE, OTHER)
    ]
    texts, codes, others = found
    if TEXT + name not in columns and VALUE + name in columns:
        texts = render(columns[VALUE + name]).to_list()
    return [texts, codes, [each or None for each in others]]

"""Reads the blocks of a copy into the format of the model in fake_source, and measures its files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lens_perf.performance.columns.field_columns import FIXED, list_fields
from lens_perf.performance.columns.number_text import render
from lens_perf.performance.columns.workload_copy import WorkloadCopy
from tests.performance.columns.fake_source import Value


def measure_space(path: Path) -> int:
    """The bytes that a file takes up in blocks of 4 KiB."""
    return -(-path.stat().st_size // 4096) * 4096


def read_blocks(copy: WorkloadCopy, fields: Sequence[str] | None = None) -> list[Any]:
    """The records of all blocks in the format of ``expect_records``."""
    return [record for block in copy.blocks(fields) for record in read_block(block)]


def read_block(block: pl.DataFrame) -> Iterator[Any]:
    rows = list(block.select(*FIXED).iter_rows())
    fields: list[dict[str, Value]] = [{} for _ in rows]
    for name in list_fields(block.columns):
        values = block["v:" + name] if "v:" + name in block.columns else None
        texts: Any = [None] * len(rows)
        if "t:" + name in block.columns:
            assert values is not None
            texts = block["t:" + name]
            assert (texts.is_null() == values.is_null()).all()
            assert texts.cast(pl.Float64).equals(values.cast(pl.Float64).alias("t:" + name), null_equal=True)
        elif values is not None:
            texts = render(values)
        codes = block["n:" + name] if "n:" + name in block.columns else [None] * len(rows)
        for number, value in enumerate(map(Value, texts, codes)):
            if value != (None, None):
                fields[number][name] = value
    return zip(rows, fields, strict=True)

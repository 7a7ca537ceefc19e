"""Frames of records as the columnar copy gives them."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from lens_perf.performance.progress.compute import compute_facts
from lens_perf.performance.progress.facts import ProgressFacts
from lens_perf.performance.progress.record_blocks import RecordBlock, join_blocks, read_record_blocks
from tests.performance.progress.naive_progress import Record

SCHEMA = {"id": pl.Int64, "created_at": pl.Int64, "iteration": pl.Int32, "serial": pl.Int32, "data_source": pl.String}


def to_frames(records: Sequence[Record], block: int = 65_536) -> list[pl.DataFrame]:
    """Return blocks of ``records`` by (time, id), NULL times last."""
    ordered = sorted(records, key=lambda each: (each.time is None, each.time or 0, each.id))
    frames = []
    for start in range(0, len(ordered), block):
        part = ordered[start : start + block]
        frame = pl.DataFrame(
            [(each.id, each.time, each.iteration, each.serial, "log") for each in part], schema=SCHEMA, orient="row"
        )
        targets = [each.target for each in part]
        if any(target is not None for target in targets):
            kind = pl.Int64 if all(target is None or isinstance(target, int) for target in targets) else pl.Float64
            frame = frame.with_columns(pl.Series("v:target_iteration", targets, dtype=kind, strict=False))
        frames.append(frame)
    return frames


def reader(frames: Sequence[pl.DataFrame], source: str = "log") -> Callable[[int], Iterator[RecordBlock]]:
    return lambda start: (join_blocks(read_record_blocks([frame], source)) for frame in frames[start:])


def facts_of(records: Sequence[Record], block: int = 65_536) -> ProgressFacts:
    return compute_facts(reader(to_frames(records, block)), source="log")[0]

"""Sorts records in order of time by iteration, in constant memory.

A record is yielded as soon as no later one can precede it. Too many waiting records become sorted runs in a file.
"""

import io
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from tempfile import TemporaryFile
from typing import IO, Any

import polars as pl

from lens_perf.performance.blocks import RECORD_COLUMNS, Reading, select_records
from lens_perf.performance.copy_interface import Copy

# Maximum number of cells waiting in memory: about 32 MB.
CELLS = 2**22
# A run is stored in pieces of 1/PIECES of the limit. While runs are merged, one piece of each is in memory.
PIECES = 64

# Reduces records in order of time to those that count for each iteration. Reducing parts first changes nothing.
Reduce = Callable[[pl.DataFrame], pl.DataFrame]


class LowestLater:
    """The lowest iteration of all later records, known after every ``rows`` records of the copy.

    ``records`` is the number of selected records; ``has_null`` is whether one of them has no iteration.
    """

    def __init__(self, copy: Copy, reading: Reading, rows: int = 2**16) -> None:
        ends: list[int] = []
        least: list[Any] = []
        condition = select_records(reading.selection, reading.serials)
        self.check = reading.check
        self.has_null = False
        self.records = end = 0
        for frame in copy.blocks([], columns=RECORD_COLUMNS):
            reading.check()
            for piece in frame.iter_slices(rows):
                end += piece.height
                kept = piece if condition is None else piece.filter(condition)
                self.records += kept.height
                ends.append(end)
                least.append(kept["iteration"].min())
                self.has_null = self.has_null or kept["iteration"].has_nulls()
        self._ends = ends
        self._least = list(accumulate(reversed(least), _choose_lower))[::-1]

    def after(self, records: int) -> int | None:
        """Return the lowest iteration after the first ``records`` records, None if there is none."""
        block = bisect_right(self._ends, records)
        return self._least[block] if block < len(self._least) else None


def _choose_lower(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)


def order_by_iteration(
    frames: Iterable[tuple[int, pl.DataFrame]], later: LowestLater, reduce: Reduce
) -> Iterator[pl.DataFrame]:
    """Yield the records of ``frames`` by iteration, reduced; all records of an iteration are in one frame.

    Each frame is paired with the number of records of the copy up to its end. All records have an iteration.
    """
    with _Runs() as runs:
        waiting: pl.DataFrame | None = None
        for records, frame in frames:
            waiting = frame if waiting is None else pl.concat([waiting, frame])
            least = later.after(records)
            if not runs:
                ready = waiting if least is None else waiting.filter(pl.col("iteration") < least)
                waiting = waiting.clear() if least is None else waiting.filter(pl.col("iteration") >= least)
                if ready.height:
                    yield reduce(ready)
            if waiting.height * waiting.width > CELLS:
                waiting = reduce(waiting)
                if waiting.height * waiting.width > CELLS // 2:
                    runs.add(waiting)
                    waiting = waiting.clear()
        if waiting is not None and waiting.height:
            runs.add(reduce(waiting))
        for frame in runs.merge():
            later.check()
            yield reduce(frame)


class _Runs:
    """Sorted runs of records in a temporary file, which the context manager closes."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._runs: list[list[tuple[int, int]]] = []

    def __bool__(self) -> bool:
        return bool(self._runs)

    def __enter__(self) -> "_Runs":
        return self

    def __exit__(self, *_failure: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, run: pl.DataFrame) -> None:
        """Store a run of records sorted by iteration, in pieces."""
        self._file = self._file or TemporaryFile()  # noqa: SIM115 - closed with the runs
        pieces = []
        rows = max(1, CELLS // run.width // PIECES)
        for piece in run.iter_slices(rows):
            content = io.BytesIO()
            piece.write_ipc(content)
            pieces.append((self._file.seek(0, 2), self._file.write(content.getbuffer())))
        self._runs.append(pieces)

    def merge(self) -> Iterator[pl.DataFrame]:
        """Yield the records of all runs by iteration, those of earlier runs first."""
        heads = [self._read(pieces[0]) for pieces in self._runs]
        tails = [pieces[:0:-1] for pieces in self._runs]
        while heads:
            # The rest of a run begins at its last iteration so far, or later.
            cut = min((head["iteration"][-1] for head, tail in zip(heads, tails, strict=True) if tail), default=None)
            if cut is None:
                yield pl.concat(heads)
                return
            ready = [head.filter(pl.col("iteration") < cut) for head in heads]
            if any(frame.height for frame in ready):
                yield pl.concat(ready)
                heads = [head.filter(pl.col("iteration") >= cut) for head in heads]
            for index, tail in enumerate(tails):
                if tail and heads[index]["iteration"][-1] == cut:
                    heads[index] = pl.concat([heads[index], self._read(tail.pop())])

    def _read(self, piece: tuple[int, int]) -> pl.DataFrame:
        assert self._file is not None  # noqa: S101 - a piece is in the file
        self._file.seek(piece[0])
        return pl.read_ipc(io.BytesIO(self._file.read(piece[1])))

"""An open copy: one state of a workload's records, read block by block, and their statistics."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import cast

import polars as pl

from lens_perf.errors import MetricLeftOutError
from lens_perf.performance.columns.computed_stats import compute_fields
from lens_perf.performance.columns.field_columns import FIXED, NON_FINITE, OTHER, REST, TEXT, VALUE, Representation
from lens_perf.performance.columns.field_stats import FieldStats, merge_fields
from lens_perf.performance.columns.manifest import Manifest, Part
from lens_perf.performance.columns.part_files import PartFile
from lens_perf.performance.columns.part_samples import PartSamples
from lens_perf.performance.columns.part_statistics import read_statistics
from lens_perf.performance.columns.rest import expand_rest


class WorkloadCopy:
    """A consistent state of a copy. Its parts remain readable while this object exists.

    The attributes are those of the manifest. Times are in microseconds since 2000-01-01 UTC. Methods raise
    DamagedPartError; ``Columns.answer`` then rebuilds the copy.
    """

    def __init__(self, manifest: Manifest, files: Sequence[PartFile]) -> None:
        self._files = files
        self.parts = [CopyPart(*each) for each in zip(manifest.parts, files, strict=True)]
        self.history = manifest.history
        self.generation = manifest.generation
        self.records = manifest.records
        self.sources: Mapping[str | None, int] = manifest.sources
        self.fields = cast("Mapping[tuple[str | None, str], FieldStats]", manifest.fields)
        self._manifest = manifest

    @property
    def names(self) -> Set[str]:
        """The fields of all data sources."""
        return self._manifest.names

    def require(self, names: Collection[str]) -> None:
        """Raise MetricLeftOutError if any of the fields ``names`` was left out of the copy."""
        missing = self._manifest.list_missing(names)
        if missing:
            raise MetricLeftOutError(
                f"The copy of this workload leaves out {json.dumps(missing[0])}, because of columns.max_fields: raise"
                " that setting, or request data of up to four metrics, without max_points or layout=wide"
            )

    def read_attempts(self) -> Mapping[tuple[str | None, str, int | None], FieldStats]:
        """Return the statistics by (data source, field, serial), merged from those of the parts."""
        parts = []
        for file in self._files:
            attempts = read_statistics(file).attempts
            if attempts is None:
                attempts = compute_fields(file.read(), lambda: None, by_serial=True)
            parts.append(attempts)
        return cast("Mapping[tuple[str | None, str, int | None], FieldStats]", merge_fields(parts))

    def blocks(
        self,
        fields: Sequence[str] | None,
        *,
        columns: Sequence[str] = tuple(FIXED),
        keep_entries: bool = False,
        only: Representation | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the records in order of (created_at, id), NULL times last, in one or more blocks for each part.

        A block has the fixed ``columns``, and the columns ``v:``, ``t:`` and ``n:`` with values of each of ``fields``,
        None for all. With ``keep_entries``, fields that few records have remain entries in REST. With
        ``only="text"``, a field that has a column of texts has no column of values; with ``only="value"``, no field has
        a column of texts. One block at a time is in memory.
        """
        for part in self.parts:
            yield from part.blocks(fields, columns, keep_entries=keep_entries, only=only)


@dataclass(frozen=True)
class CopyPart:
    """Consecutive records of a copy, which are read on demand."""

    _part: Part
    _file: PartFile

    @property
    def name(self) -> str:
        """The name of the part: in one copy, it identifies the records."""
        return self._part.name

    @property
    def records(self) -> int:
        """The number of records."""
        return self._part.records

    @property
    def iterations(self) -> tuple[int, int] | None:
        """The lowest and the highest iteration, None if no record has one."""
        return self._part.iterations

    @property
    def times(self) -> tuple[int, int] | None:
        """The times of the first and the last record in microseconds since 2000, None if no record has a time."""
        return None if self._part.first[0] else (self._part.first[1], self._part.last[1])

    @property
    def samples(self) -> PartSamples:
        """The description of the samples of its records."""
        return self._file.samples

    def has_entries(self, fields: Sequence[str]) -> bool:
        """Return whether any of ``fields`` may have entries in REST."""
        return REST in self._file.columns and not set(fields) <= self._file.fields

    def read_sample(self, level: int, first: int, last: int) -> pl.DataFrame:
        """Return the points of a sample as ``PartFile.read_sample`` does. Raises DamagedPartError."""
        return self._file.read_sample(level, first, last)

    def blocks(
        self,
        fields: Sequence[str] | None,
        columns: Sequence[str],
        *,
        keep_entries: bool = False,
        only: Representation | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the records as ``WorkloadCopy.blocks`` does. Raises DamagedPartError."""
        frame = self.read(fields, columns, only=only)
        yield from [frame] if keep_entries else expand_rest(frame, fields)

    def read(
        self, fields: Sequence[str] | None, columns: Sequence[str], *, only: Representation | None = None
    ) -> pl.DataFrame:
        """Return the records with ``columns`` and the columns of ``fields``, None for all.

        REST is included if any of ``fields`` may have entries instead of columns. ``only`` is as in
        ``WorkloadCopy.blocks``. Raises DamagedPartError.
        """
        if fields is None:
            chosen = [name for name in self._file.columns if name not in FIXED and not name.startswith(OTHER)]
        else:
            chosen = [kind + name for name in dict.fromkeys(fields) for kind in (VALUE, TEXT, NON_FINITE)]
            if self.has_entries(fields):
                chosen.append(REST)
        if only == "text":
            own = set(self._file.columns)
            chosen = [name for name in chosen if not name.startswith(VALUE) or TEXT + name[len(VALUE) :] not in own]
        elif only == "value":
            chosen = [name for name in chosen if not name.startswith(TEXT)]
        return self._file.read([*columns, *chosen])

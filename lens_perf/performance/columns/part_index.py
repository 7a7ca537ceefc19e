"""The index of a part: where its columns, its statistics and its samples are; those read lately are kept."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cachetools import LRUCache

from lens_perf.performance.columns.part_samples import PartSamples

# Of columns, and of fields of groups of records, in all indexes kept; one takes some 100 bytes.
MOST_ENTRIES = 50_000

# By what a file is recognised: device, inode, time of change, size.
Identity = tuple[int, int, int, int]


class Section(NamedTuple):
    """Where in a part some columns, its statistics or a sample are."""

    offset: int
    size: int
    checksum: int


@dataclass(frozen=True)
class PartIndex:
    """The number of records, the section of each column by its number, and the sections; one sample for each level."""

    records: int
    columns: Mapping[str, int]
    sections: Sequence[Section]
    statistics: Section
    sample_sections: Sequence[Section]
    samples: PartSamples

    @classmethod
    def parse(cls, values: Any) -> "PartIndex":
        """Return the index from its JSON values."""
        records, sections, columns, sample_count, samples = values
        described = [Section(*each) for each in sections]
        count = len(described) - sample_count
        return cls(
            records,
            dict(columns),
            described[: count - 1],
            described[count - 1],
            described[count:],
            PartSamples.parse(samples),
        )

    @property
    def entries(self) -> int:
        """What it counts in a cache."""
        return 1 + len(self.columns) + len(self.samples.groups) * len(self.samples.counts)


class PartIndexes:
    """The indexes of the files that this process has read lately. Safe to use from several threads.

    A file that has been changed since is read again. What an index points to has checksums of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = LRUCache[Identity, PartIndex](MOST_ENTRIES, lambda index: min(MOST_ENTRIES, index.entries))

    def find(self, descriptor: int, read: Callable[[], PartIndex]) -> PartIndex:
        """Return the index of an open file, which ``read`` reads from there unless it is known."""
        found = os.fstat(descriptor)
        identity = found.st_dev, found.st_ino, found.st_ctime_ns, found.st_size
        with self._lock:
            known = self._known.get(identity)
        if known is not None:
            return known
        index = read()
        with self._lock:
            self._known[identity] = index
        return index

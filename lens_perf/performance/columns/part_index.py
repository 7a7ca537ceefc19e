"""The index of a part, which lists its sections, and a cache of indexes."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cachetools import LRUCache

from lens_perf.performance.columns.part_samples import PartSamples

# The maximum number of columns, sections of samples, and counts by field and group in all cached indexes. Each takes
# about 100 bytes, a section twice that.
MOST_ENTRIES = 50_000

# Device, inode, time of the last status change in nanoseconds, size in bytes. They identify a file and its content.
Identity = tuple[int, int, int, int]


class Section(NamedTuple):
    """The position in a part of some columns, of the statistics or of a sample, in bytes, and its checksum."""

    offset: int
    size: int
    checksum: int


@dataclass(frozen=True)
class PartIndex:
    """The index of a part.

    ``columns`` has the index into ``sections`` by name of column. ``sample_sections`` has, for each level of
    ``samples``, those of its points in order of their fields, each with its first field.
    """

    records: int
    columns: Mapping[str, int]
    sections: Sequence[Section]
    statistics: Section
    sample_sections: Sequence[Sequence[tuple[int, Section]]]
    samples: PartSamples

    @classmethod
    def parse(cls, values: Any) -> "PartIndex":
        """Return the index from its JSON values."""
        records, columns, sections, statistics, sample_sections, samples = values
        return cls(
            records,
            dict(columns),
            [Section(*each) for each in sections],
            Section(*statistics),
            [[(field, Section(*each)) for field, each in of_level] for of_level in sample_sections],
            PartSamples.parse(samples),
        )

    @property
    def entries(self) -> int:
        """The size of the index in the cache."""
        sections = 2 * sum(map(len, self.sample_sections))
        return 1 + len(self.columns) + sections + len(self.samples.groups) * len(self.samples.counts)


class PartIndexes:
    """An LRU cache of the indexes of parts. Safe to use from several threads.

    If a file has changed, its index is read again. Sections have checksums of their own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = LRUCache[Identity, PartIndex](MOST_ENTRIES, lambda index: min(MOST_ENTRIES, index.entries))

    def find(self, descriptor: int, read: Callable[[], PartIndex]) -> PartIndex:
        """Return the index of an open file, from the cache or from ``read``, whose exceptions propagate."""
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

"""Downsamples a copy along iterations or time, from the samples of its parts where they can replace all records."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import inf

from lens_perf.performance.blocks import Reading
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.m4.buckets import choose_buckets
from lens_perf.performance.sampling.joined_parts import join_counts, join_records, join_samples
from lens_perf.performance.sampling.sampler import Sampler
from lens_perf.performance.sampling.selected_part import Sample, SelectedPart, SeriesCount, as_number

# The maximum number of points of samples, or of records times fields, added to a sampler at once: about 100 bytes each.
MOST_JOINED = 2**16


def sample_parts(
    copy: Copy, fields: Sequence[str], reading: Reading, axis: str, make_sampler: Callable[[], Sampler]
) -> Sampler:
    """Return a sampler to which the points of ``fields`` along ``axis``, one of AXES, have been added.

    The width of the buckets is known only after all points have been added. It is estimated from the bounds of the
    parts. If the buckets turn out to be narrower, for example because a metric begins late, the points are added to
    another sampler. Raises DamagedPartError, ResultTooLargeError and the exceptions of ``reading.check``.
    """
    parts = [SelectedPart(part, fields, reading, axis) for part in copy.parts]
    parts = [part for part in parts if part.has_records]
    sampler = make_sampler()
    widest = _guess_exponent(parts, sampler.most_buckets)
    while _add_points(parts, _Feeder(sampler, reading, axis), widest) > as_number(sampler.exponent):
        widest = as_number(sampler.exponent)
        sampler = make_sampler()
    return sampler


def _guess_exponent(parts: Sequence[SelectedPart], most_buckets: int) -> float:
    """Return the exponent of the width of buckets for all records, including those without points."""
    bounds = [part.bounds for part in parts if part.bounds is not None]
    if not bounds:
        return inf
    first, last = min(low for low, _ in bounds), max(high for _, high in bounds)
    return as_number(choose_buckets(first, max(first, last), most_buckets).exponent)


def _add_points(parts: Sequence[SelectedPart], feeder: "_Feeder", widest: float) -> float:
    """Add all points to the sampler; return the highest exponent of the samples used, which is at most ``widest``."""
    sampler = feeder.sampler
    known = Counter[object]()
    for part in parts:
        for count in part.counts if part.is_whole else ():
            known[_identify(count, sampler)] += count.points
    used = -inf
    for part in parts:
        # A series that is not downsampled must be complete in the sample.
        may_be_whole = (each.stored for each in part.counts if known[_identify(each, sampler)] <= sampler.max_points)
        level = part.find_level(widest, max(may_be_whole, default=0)) if part.is_whole else None
        if level is None:
            feeder.add_records(part)
        else:
            number, exponent = level
            feeder.add_sample(part.read_sample(number))
            used = max(used, exponent)
    feeder.finish()
    return used


class _Feeder:
    """Adds the points of parts to ``sampler``, in order; consecutive parts with few points are joined."""

    def __init__(self, sampler: Sampler, reading: Reading, axis: str) -> None:
        self.sampler = sampler
        self._reading = reading
        self._axis = axis
        # Only one of the two lists has elements.
        self._samples: list[Sample] = []
        self._records: list[SelectedPart] = []
        self._held = 0

    def add_sample(self, sample: Sample) -> None:
        """Add a sample, which replaces the records of its part."""
        if self._records or self._held + sample.points.height > MOST_JOINED:
            self.finish()
        self._samples.append(sample)
        self._held += sample.points.height
        self._reading.check()

    def add_records(self, part: SelectedPart) -> None:
        """Add the records of a part."""
        cells = part.records * part.width
        if self._samples or part.has_entries or self._held + cells > MOST_JOINED:
            self.finish()
        self._records.append(part)
        self._held += cells
        if part.has_entries:
            self.finish()

    def finish(self) -> None:
        """Pass on the parts that have been added."""
        self._reading.check()
        if self._samples:
            parts = [each.part for each in self._samples]
            points = join_samples(self._samples, self._reading, self._axis)
            self.sampler.add_sample(points, join_counts(parts), sum(part.records for part in parts))
        elif self._records:
            block = join_records(self._records, self._reading, self._axis)
            if block is not None:
                self.sampler.add(block)
        self._samples, self._records, self._held = [], [], 0


def _identify(count: SeriesCount, sampler: Sampler) -> tuple[object, ...]:
    return count.data_source, count.serial if sampler.by_serial else None, count.field

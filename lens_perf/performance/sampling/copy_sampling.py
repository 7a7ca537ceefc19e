"""Downsamples a copy along iterations or time: from the samples of its parts as far as these stand for all records."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import inf

from lens_perf.performance.blocks import Reading
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.m4.buckets import choose_buckets
from lens_perf.performance.sampling.joined_parts import join_counts, join_records, join_samples
from lens_perf.performance.sampling.sampler import Sampler
from lens_perf.performance.sampling.selected_part import Sample, SelectedPart, SeriesCount, as_number

# Points of samples, or records times fields, that are given to a sampler at once, about 100 bytes each.
MOST_JOINED = 2**16


def sample_parts(
    copy: Copy, fields: Sequence[str], reading: Reading, axis: str, make_sampler: Callable[[], Sampler]
) -> Sampler:
    """Return a sampler that has taken the points of ``fields`` along ``axis``, one of AXES.

    How wide the buckets are is known only when all points have been taken. It is guessed from the bounds of the parts;
    where the buckets prove narrower, as of a metric that begins late, the points are taken a second time.
    """
    parts = [SelectedPart(part, fields, reading, axis) for part in copy.parts]
    parts = [part for part in parts if part.has_records]
    sampler = make_sampler()
    widest = _guess_exponent(parts, sampler.most_buckets)
    while _give_points(parts, _Giver(sampler, reading, axis), widest) > as_number(sampler.exponent):
        widest = as_number(sampler.exponent)
        sampler = make_sampler()
    return sampler


def _guess_exponent(parts: Sequence[SelectedPart], most_buckets: int) -> float:
    """Return the exponent of the width of buckets that hold all records, those without points included."""
    bounds = [part.bounds for part in parts if part.bounds is not None]
    if not bounds:
        return inf
    first, last = min(low for low, _ in bounds), max(high for _, high in bounds)
    return as_number(choose_buckets(first, max(first, last), most_buckets).exponent)


def _give_points(parts: Sequence[SelectedPart], giver: "_Giver", widest: float) -> float:
    """Give all points to a sampler; return the greatest exponent of the samples used, which is at most ``widest``."""
    sampler = giver.sampler
    known = Counter[object]()
    for part in parts:
        for count in part.counts if part.is_whole else ():
            known[_identify(count, sampler)] += count.points
    used = -inf
    for part in parts:
        # Series that may be returned whole have to be whole in the sample.
        may_be_whole = (each.stored for each in part.counts if known[_identify(each, sampler)] <= sampler.max_points)
        level = part.find_level(widest, max(may_be_whole, default=0)) if part.is_whole else None
        if level is None:
            giver.add_records(part)
        else:
            number, exponent = level
            giver.add_sample(part.read_sample(number))
            used = max(used, exponent)
    giver.finish()
    return used


class _Giver:
    """Gives ``sampler`` the points of parts, in order, of several at once where each has few."""

    def __init__(self, sampler: Sampler, reading: Reading, axis: str) -> None:
        self.sampler = sampler
        self._reading = reading
        self._axis = axis
        # Of one kind only.
        self._samples: list[Sample] = []
        self._records: list[SelectedPart] = []
        self._held = 0

    def add_sample(self, sample: Sample) -> None:
        """Add the sample that stands for the records of a part."""
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
        """Give what was added."""
        self._reading.check()
        if self._samples:
            parts = [each.part for each in self._samples]
            points = join_samples(self._samples, self._reading, self._axis)
            self.sampler.take_sample(points, join_counts(parts), sum(part.records for part in parts))
        elif self._records:
            block = join_records(self._records, self._reading, self._axis)
            if block is not None:
                self.sampler.take(block)
        self._samples, self._records, self._held = [], [], 0


def _identify(count: SeriesCount, sampler: Sampler) -> tuple[object, ...]:
    return count.data_source, count.serial if sampler.by_serial else None, count.field

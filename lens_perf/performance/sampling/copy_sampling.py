"""Downsamples a copy along iterations or time: from the samples of its parts as far as these stand for all records."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import inf

from lens_perf.performance.blocks import Reading
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.m4.buckets import choose_buckets
from lens_perf.performance.sampling.sampler import Sampler
from lens_perf.performance.sampling.selected_part import SelectedPart, SeriesCount, as_number


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
    while _give_points(parts, reading, sampler, widest) > as_number(sampler.exponent):
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


def _give_points(parts: Sequence[SelectedPart], reading: Reading, sampler: Sampler, widest: float) -> float:
    """Give all points to ``sampler``; return the greatest exponent of the samples used, which is at most ``widest``."""
    known = Counter[object]()
    for part in parts:
        for count in part.counts if part.is_whole else ():
            known[_identify(count, sampler)] += count.points
    used = -inf
    for part in parts:
        reading.check()
        # Series that may be returned whole have to be whole in the sample.
        may_be_whole = (each.stored for each in part.counts if known[_identify(each, sampler)] <= sampler.max_points)
        level = part.find_level(widest, max(may_be_whole, default=0)) if part.is_whole else None
        if level is not None:
            number, exponent = level
            sampler.take_sample(part.read_sample(number), part.read_counts(), part.records)
            used = max(used, exponent)
        elif (block := part.read_records()) is not None:
            sampler.take(block)
    return used


def _identify(count: SeriesCount, sampler: Sampler) -> tuple[object, ...]:
    return count.data_source, count.serial if sampler.by_serial else None, count.field

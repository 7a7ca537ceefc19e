"""Lets tests, whose workloads are small, also write points in the way for many points."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st

from lens_perf.performance import blocks
from lens_perf.performance.points import series_writer, text_writer

# The number of points up to which they are listed: none, and as in service.
FEW = st.sampled_from([0, blocks.FEW_POINTS])


@contextmanager
def few_points(most: int) -> Iterator[None]:
    """List up to ``most`` points."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (blocks, series_writer, text_writer):
            patch.setattr(module, "FEW_POINTS", most)
        yield

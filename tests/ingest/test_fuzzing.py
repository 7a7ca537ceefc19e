"""Brief fuzzing of every reader; ``python -m tests.ingest.fuzzing`` runs longer."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lens_perf.ingest.recognition import Kind
from tests.ingest.fuzzing import check, list_seeds, make_file


@pytest.fixture(scope="module")
def seeds() -> dict[Kind, list[bytes]]:
    return list_seeds()


@pytest.mark.parametrize("kind", list(Kind))
def test_every_sample_is_read(kind: Kind, seeds: dict[Kind, Sequence[bytes]], tmp_path: Path) -> None:
    assert seeds[kind]
    for content in seeds[kind]:
        check(kind, content, tmp_path / "input")


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_damaged_files_raise_nothing_else(
    kind: Kind, seeds: dict[Kind, Sequence[bytes]], tmp_path: Path, seed: int
) -> None:
    source = random.Random(seed)
    check(kind, make_file(kind, seeds[kind], source), tmp_path / "input")

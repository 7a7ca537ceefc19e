"""What a search for changes costs is not paid again by the next request."""

import time
from pathlib import Path

import pytest

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.performance import table_source
from lens_perf.performance.columns.columns import Columns
from lens_perf.performance.columns.manifest import CopyKey, Manifest
from lens_perf.performance.freshness import checkpoint
from lens_perf.performance.table_source import TableSource
from lens_perf.settings import ColumnSettings
from tests.conftest import Row, Store, at


@pytest.mark.parametrize("is_large", [False, True])
def test_the_comparison_of_a_large_workload_is_kept(
    registry: ClusterRegistry,
    store: Store,
    uid: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_large: bool,
) -> None:
    for module in (checkpoint, table_source):
        monkeypatch.setattr(module, "SMALL_WORKLOAD", 2 if is_large else 3)
    for name in ("COMPARE_SECONDS", "COMPARE_ANYWAY_SECONDS"):
        monkeypatch.setattr(checkpoint, name, 0)
    columns = Columns(ColumnSettings(directory=str(tmp_path / "columns")))
    store(uid, [Row({"loss": 1}, number, at(number)) for number in range(3)])

    def read_checkpoint() -> str:
        key = CopyKey("alpha", uid, "a database")
        with columns.open(key, TableSource(registry, "alpha", uid), time.monotonic() + 30) as copy:
            assert copy.records == 3
        (manifest,) = columns.root.glob("*/manifest")
        return Manifest.parse(manifest.read_bytes()).checkpoint

    built = read_checkpoint()
    store(f"{uid}-other", [Row({"loss": 1}, 1, at(1))])
    assert (read_checkpoint() != built) == is_large

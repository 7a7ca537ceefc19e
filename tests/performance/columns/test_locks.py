"""The lock of a copy, whose directory other processes remove."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from lens_perf.performance.columns.directory_store import LOCK
from lens_perf.performance.columns.locks import hold_lock
from lens_perf.performance.columns.usage import remove_copy


def test_a_directory_that_is_removed_again_and_again(tmp_path: Path) -> None:
    """Its lock is held, or others hold it; a removal between two steps of taking it is no error."""
    path = tmp_path / "copy"
    done = Event()

    def remove() -> None:
        while not done.is_set():
            remove_copy(path)

    def hold() -> int:
        held = 0
        for _ in range(2_000):
            with hold_lock(path / LOCK, 0.0) as descriptor:
                if descriptor is not None:
                    held += 1
                    assert (path / LOCK).stat().st_ino == os.fstat(descriptor).st_ino
        return held

    with ThreadPoolExecutor(3) as pool:
        for _ in range(2):
            pool.submit(remove)
        try:
            assert pool.submit(hold).result() > 0
        finally:
            done.set()


def test_a_missing_directory_of_copies(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), hold_lock(tmp_path / "missing" / "copy" / LOCK, 0.0):
        pass

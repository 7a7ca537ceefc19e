"""Values that processes share: sums outlive a process, no entry is torn, and no slot grows or leaks."""

import mmap
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.instrumentation.shared_memory import ENDED, SharedMemory, Slot
from tests.faults import wait_until

KEYS = st.binary(max_size=40).filter(lambda key: not key.startswith((b"live", b"mostrecent")))


def add(slot: Slot, key: bytes, number: float) -> None:
    place = slot.place(key)
    assert place is not None
    slot.write(place, number)


def take(memory: SharedMemory, count: int) -> list[int]:
    return [index for index in (memory.take() for _ in range(count)) if index is not None]


@given(st.lists(st.dictionaries(KEYS, st.integers(0, 2**40).map(float), max_size=8), max_size=6), st.data())
def test_sums_outlive_their_slots(processes: list[dict[bytes, float]], data: st.DataObject) -> None:
    memory = SharedMemory(4, 2**16)
    expected: dict[bytes, float] = {}
    for numbers in processes:
        index = memory.take()
        assert index is not None
        for key, number in numbers.items():
            add(memory.slots[index], key, number)
            expected[key] = expected.get(key, 0.0) + number
        assert memory.merge() == expected
        memory.retire(index)
        assert memory.merge() == expected
    assert all(memory.slots[index].used == 8 for index in range(1, 4))


def test_gauges_are_those_of_live_processes() -> None:
    memory = SharedMemory(4, 4096)
    for number in (2.0, 3.0):
        index = memory.take()
        assert index is not None
        add(memory.slots[index], b'livesum["g"]', number)
        add(memory.slots[index], b'livemax["g"]', number)
    assert memory.merge() == {b'livesum["g"]': 5.0, b'livemax["g"]': 3.0}
    memory.retire(2)
    assert memory.merge() == {b'livesum["g"]': 2.0, b'livemax["g"]': 2.0}


def test_for_some_metrics_the_latest_value_counts() -> None:
    memory = SharedMemory(4, 4096)
    first, second = take(memory, 2)
    for index, number, set_at in ((first, 5.0, 100.0), (second, 3.0, 200.0), (first, 9.0, 150.0)):
        place = memory.slots[index].place(b"mostrecent[]")
        assert place is not None
        memory.slots[index].write(place, number, set_at)
        memory.merge()
    assert memory.merge() == {b"mostrecent[]": 3.0}
    memory.retire(second)
    memory.retire(first)
    assert memory.merge() == {b"mostrecent[]": 3.0}


def test_a_full_slot_refuses_new_keys_and_still_counts() -> None:
    slot = SharedMemory(2, 4096).slots[1]
    placed = [slot.place(b"key-%03d" % number) for number in range(400)]
    assert None in placed
    first = placed.index(None)
    assert first > 100
    assert all(place is None for place in placed[first:])
    assert len(list(slot.read())) == first
    assert slot.used <= 4096


def test_slots_are_limited_and_reused() -> None:
    memory = SharedMemory(3, 4096)
    assert [memory.take() for _ in range(3)] == [1, 2, None]
    memory.retire(1)
    assert [memory.take() for _ in range(2)] == [1, None]


def test_a_thousand_workers_leave_as_much_as_one() -> None:
    memory = SharedMemory(3, 2**16)
    used = set()
    for _ in range(1000):
        index = memory.take()
        assert index is not None
        add(memory.slots[index], b"requests", 1.0)
        memory.retire(index)
        used.add(memory.slots[ENDED].used)
    assert memory.merge() == {b"requests": 1000.0}
    assert len(used) == 1


# Newer Pythons warn about forks of a process with threads; this child runs only the following lines.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_values_of_a_forked_process_are_shared_and_outlive_it() -> None:
    memory = SharedMemory(3, 2**16)
    index = memory.take()
    assert index is not None
    child = os.fork()
    if child == 0:
        slot = memory.slots[index]
        for number in range(10_000):
            add(slot, b"requests", float(number))
        add(slot, b"done", 1.0)
        signal.pause()
        os._exit(0)
    try:
        wait_until(lambda: memory.merge().get(b"done") == 1.0)
        assert memory.merge()[b"requests"] == 9999.0
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    memory.retire(index)
    assert memory.merge() == {b"requests": 9999.0, b"done": 1.0}


class SlotClearedBeforeItIsCopied(Slot):
    """A slot that the master clears after a reader has read its size and before it copies the content."""

    @property
    def used(self) -> int:
        used = super().used
        self.clear()
        return used


@pytest.mark.parametrize("entries", [1, 2, 3, 50])
def test_a_reader_finds_nothing_in_a_slot_that_is_cleared_meanwhile(entries: int) -> None:
    memory = mmap.mmap(-1, 2**16)
    for number in range(entries):
        add(Slot(memory, 0, 2**16), b"%d" % number, 1.0)
    assert list(SlotClearedBeforeItIsCopied(memory, 0, 2**16).read()) == []


def read_sums(memory: SharedMemory, done: threading.Event) -> set[float]:
    sums = set()
    while not done.is_set():
        sums.add(sum(memory.merge().values()))
    return sums


@pytest.mark.parametrize("workers", [1, 3])
def test_no_reader_sees_a_number_twice_while_it_is_moved(workers: int) -> None:
    memory, done = SharedMemory(8, 2**16), threading.Event()
    taken = take(memory, workers)
    for index in taken:
        for number in range(50):
            add(memory.slots[index], b"%d" % number, 1.0)
    with ThreadPoolExecutor(3) as readers:
        sums = [readers.submit(read_sums, memory, done) for _ in range(3)]
        for _ in range(100):
            for index in taken:
                memory.retire(index)
            taken = take(memory, workers)
        done.set()
    assert set().union(*(each.result() for each in sums)) == {50.0 * workers}

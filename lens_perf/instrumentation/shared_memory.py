"""Values that the processes of one gunicorn share: anonymous memory, allocated by the master before it forks.

It has no name and is in no file system: it needs no directory, does not depend on free space, and disappears with the
processes. It is divided into slots: one for each live worker, which only that worker writes, and the first one for the
sums of ended workers.
"""

import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from functools import cache

SLOTS = 64
# A cluster with traffic on all endpoints takes about 30 KiB. Only used memory is allocated.
SLOT_BYTES = 4 * 2**20
ENDED = 0

HEADER = struct.Struct("<Q")
NUMBER = struct.Struct("<d")
# After each value, the time at which it was set: for some metrics the latest value counts.
ENTRY = struct.Struct("<dd")
# While the master moves values between slots, its counter of moves is odd; a reader waits at most this long.
MOVE_SECONDS = 1.0


class Slot:
    """One process's values: entries of a length, a key padded to 8 bytes, a value and its time."""

    def __init__(self, memory: mmap.mmap, start: int, size: int) -> None:
        self._memory = memory
        self._start = start
        self._size = size
        self._places: dict[bytes, int] = {}
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """The bytes in use."""
        return max(HEADER.size, _read_count(self._memory, self._start))

    def place(self, key: bytes) -> int | None:
        """Return the position of the value of ``key``, which is 0 if it is new; None if the slot is full."""
        with self._lock:
            found = self._places.get(key)
            if found is None:
                found = self._add(key)
            return found

    def write(self, place: int, number: float, set_at: float | None = None) -> None:
        """Store a value at a position, and the seconds since 1970 at which it was set, if needed."""
        # An assignment copies aligned bytes atomically; pack_into would write zeros first.
        self._memory[place : place + NUMBER.size] = NUMBER.pack(number)
        if set_at is not None:
            self._memory[place + NUMBER.size : place + ENTRY.size] = NUMBER.pack(set_at)

    def read(self) -> Iterator[tuple[bytes, float, float]]:
        """Yield each key with its value and the time at which it was set."""
        used = self.used
        content = self._memory[self._start : self._start + used]
        if self.used < used:
            return  # The master cleared the slot meanwhile, so the content is incomplete.
        position = HEADER.size
        while position < len(content):
            (length,) = HEADER.unpack_from(content, position)
            key = content[position + HEADER.size : position + HEADER.size + length]
            position += HEADER.size + _pad(length)
            yield key, *ENTRY.unpack_from(content, position)
            position += ENTRY.size

    def clear(self) -> None:
        """Clear the slot and free its memory."""
        self._memory[self._start : self._start + HEADER.size] = HEADER.pack(0)
        self._places.clear()
        self._memory.madvise(mmap.MADV_REMOVE, self._start, self._size)

    def _add(self, key: bytes) -> int | None:
        used = self.used
        entry = HEADER.pack(len(key)) + key.ljust(_pad(len(key)), b"\0") + ENTRY.pack(0.0, 0.0)
        if used + len(entry) > self._size:
            return None
        at = self._start + used
        self._memory[at : at + len(entry)] = entry
        # Last, so that readers find only complete entries.
        self._memory[self._start : self._start + HEADER.size] = HEADER.pack(used + len(entry))
        self._places[key] = at + len(entry) - ENTRY.size
        return self._places[key]


class SharedMemory:
    """The slots of one master and its workers. Created in the master and inherited by the workers."""

    def __init__(self, slots: int = SLOTS, slot_bytes: int = SLOT_BYTES) -> None:
        self.slot_bytes = slot_bytes
        self._memory = mmap.mmap(-1, mmap.PAGESIZE + slots * slot_bytes)
        self.slots = [Slot(self._memory, mmap.PAGESIZE + index * slot_bytes, slot_bytes) for index in range(slots)]
        self._taken: set[int] = set()

    def take(self) -> int | None:
        """Return the index of a free slot for a new worker, or None. For the master."""
        free = (index for index in range(ENDED + 1, len(self.slots)) if index not in self._taken)
        index = next(free, None)
        if index is not None:
            self._taken.add(index)
        return index

    def retire(self, index: int) -> None:
        """Add the values of an ended worker to the sums, and free its slot. For the master."""
        ended, slot = self.slots[ENDED], self.slots[index]
        sums = {key: (number, set_at) for key, number, set_at in ended.read()}
        self._count_move()
        for key, number, set_at in slot.read():
            if not is_live(key) and (place := ended.place(key)) is not None:
                ended.write(place, *_combine(key, sums.get(key), (number, set_at)))
        slot.clear()
        self._count_move()
        self._taken.discard(index)

    def merge(self) -> dict[bytes, float]:
        """Return the value of each key over all processes: the sum, the maximum or the latest, by its mode."""
        until = time.monotonic() + MOVE_SECONDS
        while True:
            moves = _read_count(self._memory, 0)
            merged = self._merge_now()
            if (moves % 2 == 0 and moves == _read_count(self._memory, 0)) or time.monotonic() > until:
                return merged
            time.sleep(0.001)

    def most_used(self) -> int:
        """Return the used bytes of the fullest slot."""
        return max(slot.used for slot in self.slots)

    def _merge_now(self) -> dict[bytes, float]:
        merged: dict[bytes, tuple[float, float]] = {}
        for slot in self.slots:
            for key, number, set_at in slot.read():
                merged[key] = _combine(key, merged.get(key), (number, set_at))
        return {key: number for key, (number, _set_at) in merged.items()}

    def _count_move(self) -> None:
        self._memory[0 : HEADER.size] = HEADER.pack(_read_count(self._memory, 0) + 1)


# Prefixes of keys that are not sums over all processes, as prometheus_client names them.
LIVE, GREATEST, LATEST = b"live", b"livemax", b"mostrecent"


def is_live(key: bytes) -> bool:
    """Return whether the value of ``key`` counts only while its process is alive."""
    return key.startswith(LIVE)


@cache
def _open_for(_process: int) -> SharedMemory:
    return SharedMemory()


def open_shared_memory() -> SharedMemory:
    """Return the memory of this master, also after a reload, when gunicorn runs its settings file again."""
    return _open_for(os.getpid())


def _combine(key: bytes, one: tuple[float, float] | None, other: tuple[float, float]) -> tuple[float, float]:
    """Return the combined value of ``key`` of two processes, and its time."""
    if one is None:
        return other
    if key.startswith(LATEST):
        return max(one, other, key=lambda each: each[1])
    number = max(one[0], other[0]) if key.startswith(GREATEST) else one[0] + other[0]
    return number, max(one[1], other[1])


def _read_count(memory: mmap.mmap, at: int) -> int:
    count: int = HEADER.unpack_from(memory, at)[0]
    return count


def _pad(length: int) -> int:
    return -(-length // 8) * 8

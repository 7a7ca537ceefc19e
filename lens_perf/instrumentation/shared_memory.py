"""Numbers that the processes of one gunicorn share: anonymous memory, made by the master before it forks.

It has no name and lies in no file system: it needs no directory, no file system can be too full for it, and it is gone
with the processes. It is divided into slots: one for each live worker, which alone writes to it, and the first one for
the sums of the workers that have ended.
"""

import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from functools import cache

SLOTS = 64
# A configured cluster that is asked for everything takes some 30 KiB. Only what is used is ever allocated.
SLOT_BYTES = 4 * 2**20
ENDED = 0

HEADER = struct.Struct("<Q")
NUMBER = struct.Struct("<d")
# Behind each number, when it was set: of some, the latest counts.
ENTRY = struct.Struct("<dd")
# While the master moves numbers between slots, its count of such moves is odd; a reader waits for so long at most.
MOVE_SECONDS = 1.0


class Slot:
    """One process's numbers: entries of a length, a key padded to 8 bytes, a number and its time."""

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
        """Return where the number of ``key`` lies, a new one being 0; None if there is no room for it."""
        with self._lock:
            found = self._places.get(key)
            if found is None:
                found = self._add(key)
            return found

    def write(self, place: int, number: float, set_at: float | None = None) -> None:
        """Store a number at a place, and the seconds since 1970 at which it was set, if that matters."""
        # An assignment copies aligned bytes at once; pack_into would write zeros first.
        self._memory[place : place + NUMBER.size] = NUMBER.pack(number)
        if set_at is not None:
            self._memory[place + NUMBER.size : place + ENTRY.size] = NUMBER.pack(set_at)

    def read(self) -> Iterator[tuple[bytes, float, float]]:
        """Yield each key with its number, and when that was set."""
        content = self._memory[self._start : self._start + self.used]
        position = HEADER.size
        while position < len(content):
            (length,) = HEADER.unpack_from(content, position)
            key = content[position + HEADER.size : position + HEADER.size + length]
            position += HEADER.size + _pad(length)
            yield key, *ENTRY.unpack_from(content, position)
            position += ENTRY.size

    def clear(self) -> None:
        """Forget all, and give the memory back."""
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
        # Last, so that a reader finds whole entries only.
        self._memory[self._start : self._start + HEADER.size] = HEADER.pack(used + len(entry))
        self._places[key] = at + len(entry) - ENTRY.size
        return self._places[key]


class SharedMemory:
    """The slots of one master and its workers. Made in the master; each process knows it by inheritance."""

    def __init__(self, slots: int = SLOTS, slot_bytes: int = SLOT_BYTES) -> None:
        self.slot_bytes = slot_bytes
        self._memory = mmap.mmap(-1, mmap.PAGESIZE + slots * slot_bytes)
        self.slots = [Slot(self._memory, mmap.PAGESIZE + index * slot_bytes, slot_bytes) for index in range(slots)]
        self._taken: set[int] = set()

    def take(self) -> int | None:
        """Return the number of a slot for a worker about to be forked; None if all are taken. For the master."""
        free = (index for index in range(ENDED + 1, len(self.slots)) if index not in self._taken)
        index = next(free, None)
        if index is not None:
            self._taken.add(index)
        return index

    def retire(self, index: int) -> None:
        """Add what a worker that has ended counted to the sums of the ended, and free its slot. For the master."""
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
        """Return the number of each key over all processes: the sum, the greatest, or the latest, as its mode says."""
        until = time.monotonic() + MOVE_SECONDS
        while True:
            moves = _read_count(self._memory, 0)
            merged = self._merge_now()
            if (moves % 2 == 0 and moves == _read_count(self._memory, 0)) or time.monotonic() > until:
                return merged
            time.sleep(0.001)

    def most_used(self) -> int:
        """Return the bytes in use of the fullest slot."""
        return max(slot.used for slot in self.slots)

    def _merge_now(self) -> dict[bytes, float]:
        merged: dict[bytes, tuple[float, float]] = {}
        for slot in self.slots:
            for key, number, set_at in slot.read():
                merged[key] = _combine(key, merged.get(key), (number, set_at))
        return {key: number for key, (number, _set_at) in merged.items()}

    def _count_move(self) -> None:
        self._memory[0 : HEADER.size] = HEADER.pack(_read_count(self._memory, 0) + 1)


# How keys begin that are no sums over all processes there ever were; prometheus_client's words.
LIVE, GREATEST, LATEST = b"live", b"livemax", b"mostrecent"


def is_live(key: bytes) -> bool:
    """Return whether the number of ``key`` counts only while its process lives."""
    return key.startswith(LIVE)


@cache
def _open_for(_process: int) -> SharedMemory:
    return SharedMemory()


def open_shared_memory() -> SharedMemory:
    """Return the memory of this master: gunicorn runs its settings again at each reload, with workers alive."""
    return _open_for(os.getpid())


def _combine(key: bytes, one: tuple[float, float] | None, other: tuple[float, float]) -> tuple[float, float]:
    """Return the number of ``key`` over two processes, and when it was set."""
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

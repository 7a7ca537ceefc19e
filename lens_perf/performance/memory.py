"""Keeps memory that was freed from adding up: what a build or a large answer needed goes back to the system."""

import ctypes
import os

# Of polars' allocator, which reads it when polars is imported: one arena for all threads, whose idle memory goes back
# after 100 ms. By default it has four arenas for each processor.
JEMALLOC_VARIABLE, JEMALLOC_SETTINGS = "_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:100,muzzy_decay_ms:0"
# Of the C library's, which Python and numpy use; see mallopt(3). By default it has up to eight arenas for each
# processor, and each keeps what was freed in it.
ARENA_MAX = -8
ARENAS = 2
# numpy's library for linear algebra, which nothing here uses, starts a thread for each processor.
BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def limit_memory() -> None:
    """Configure both allocators, and numpy's threads, unless the environment does; before polars is imported."""
    os.environ.setdefault(JEMALLOC_VARIABLE, JEMALLOC_SETTINGS)
    os.environ.setdefault(BLAS_THREADS, "1")
    if "MALLOC_ARENA_MAX" not in os.environ:
        _call("mallopt", ARENA_MAX, ARENAS)


def release_memory() -> None:
    """Return what the C library's allocator keeps for later to the system."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function that only glibc has."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)

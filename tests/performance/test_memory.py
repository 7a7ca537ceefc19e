"""Freed memory is returned to the system, unless the operator has configured the allocators."""

import ctypes
import os
import subprocess
import sys

import pytest

# 20 MB in small blocks, and one block after them that is not freed.
PROGRAM = """
import ctypes, os
from pathlib import Path
from lens_perf.performance.memory import limit_memory, release_memory

def measure():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

limit_memory()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
blocks = [library.malloc(10_000) for _ in range(2_000)]
for block in blocks:
    ctypes.memset(block, 1, 10_000)
last = library.malloc(10_000)
for block in blocks:
    library.free(block)
held = measure()
release_memory()
print(held - measure() >= 15, os.environ["_RJEM_MALLOC_CONF"])
"""


def run(**variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "_RJEM"))}
    command = [sys.executable, "-c", PROGRAM]
    found = subprocess.run(command, env=environment | variables, check=True, capture_output=True, text=True)
    return found.stdout.strip()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_free_memory_is_released() -> None:
    assert run() == "True narenas:1,dirty_decay_ms:100,muzzy_decay_ms:0"
    assert run(_RJEM_MALLOC_CONF="narenas:1").endswith(" narenas:1")

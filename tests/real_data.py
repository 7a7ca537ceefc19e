"""The place of real training output, which is not part of the project."""

import os
from pathlib import Path

import pytest

VARIABLE = "LENS_PERF_REAL_DATA"
REAL_DATA = Path(os.environ.get(VARIABLE) or Path(__file__).parents[2] / "shared" / "data") / "real"

needs_real_data = pytest.mark.skipif(
    not REAL_DATA.is_dir(), reason=f"no real training output: set {VARIABLE} to the directory that holds 'real'"
)

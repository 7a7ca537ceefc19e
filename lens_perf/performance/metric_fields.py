"""Defines which fields of a record's ``performance`` are metrics, and which of their values are data points."""

import json
from math import isfinite

DATA_SOURCES = ("log", "wandb", "tensorflow")

# Metadata that W&B's integration stores in addition to the metrics (contract, "Filtered Metadata Fields").
WANDB = "wandb"
WANDB_METADATA_FIELDS = ("step", "run_id", "source", "history", "created_at", "updated_at")

# The iteration at which training ends. Progress and iteration times need it in every copy.
TARGET_ITERATION = "target_iteration"

# The strings that represent non-finite numbers, which JSON lacks: as importers store them, and as JSON texts.
NON_FINITE = ("NaN", "Infinity", "-Infinity")
NON_FINITE_TEXTS = frozenset(json.dumps(each).encode() for each in NON_FINITE)

# JSONB writes numbers without an exponent, so a number with up to 308 characters is below 1e308.
SURELY_FINITE_LENGTH = 308


def is_finite_number(text: bytes) -> bool:
    """Return whether ``text``, a number as JSONB writes it, is in the range of float64."""
    return len(text) <= SURELY_FINITE_LENGTH or isfinite(float(text))


def encode_name(name: str) -> str:
    """Return ``name`` as a JSON text with the same escapes as JSONB."""
    return json.dumps(name, ensure_ascii=False)

"""Parses Prometheus's text format, as far as the tests need it."""

import re
from collections.abc import Mapping

SAMPLE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def read_samples(text: str) -> Samples:
    """Return the value of each name with its labels; no combination may occur twice."""
    found = [
        ((match["name"], frozenset(LABEL.findall(match["labels"] or ""))), float(match["value"]))
        for match in SAMPLE.finditer(text)
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def value_of(text: str, name: str, **labels: str) -> float:
    """Return the value of a sample, 0 if it is missing."""
    return read_samples(text).get((name, frozenset(labels.items())), 0.0)

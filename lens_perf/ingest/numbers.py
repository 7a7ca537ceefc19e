"""Reads numbers from text and JSON exactly, and counts what a 64-bit float cannot keep."""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import MetricValue

NUMBER = re.compile(r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?", re.ASCII)
WHOLE = re.compile(r"[-+]?\d{1,19}(?:\.0*+)?", re.ASCII)
SPELLINGS = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity"}
NON_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
# No two decimals with this few digits have the same 64-bit float.
ALWAYS_KEPT_DIGITS = 15
LONGEST_WHOLE = 310
FIRST_BEYOND = 1 << 1024
LEAST_NORMAL = 2.2250738585072014e-308
NO_NUMBERS = "fields that are not numbers"
OUT_OF_RANGE = "numbers beyond the range of a 64-bit float"


class JsonError(ValueError):
    """Text that is not JSON, or is nested too deeply."""


class _OutOfRange:
    """Represents a number in JSON that is out of the range of a 64-bit float."""


BEYOND = _OutOfRange()


def spell_float(value: float) -> MetricValue:
    """Return a finite float unchanged, and another as the text that represents it in JSONB."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def parse_whole(value: Any) -> int | None:
    """Return the integer that ``value`` represents, as 40, 40.0, "40" or "40.0"; None for anything else."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if isinstance(value, str) and WHOLE.fullmatch(value):
        return int(value.partition(".")[0])
    return None


class NumberReader:
    """Reads the numbers of one import; ``summary`` counts those that are rounded or lost, and other values."""

    def __init__(self, summary: ReadSummary) -> None:
        self._summary = summary

    def load_json(self, text: str) -> Any:
        """Return the value of a JSON text. Raises JsonError.

        If a name is repeated in an object, the last value is kept, and the others are counted as lost.
        """
        try:
            return json.loads(
                text, parse_float=self._parse_float, parse_int=self._parse_int, object_pairs_hook=self._make_object
            )
        except RecursionError:
            raise JsonError("nested too deeply") from None
        except ValueError as error:
            raise JsonError(str(error)) from None

    def parse_text(self, text: str, name: str) -> MetricValue:
        """Return the number in ``text``, or the text of a non-finite one; None if it is anything else."""
        if NUMBER.fullmatch(text) is not None:
            return self.check(self._parse_int(text) if text.lstrip("+-").isdigit() else self._parse_float(text), name)
        word = SPELLINGS.get(text.lstrip("+-").lower())
        return self.check(f"-{word}" if word == "Infinity" and text.startswith("-") else word or text, name)

    def check(self, value: Any, name: str) -> MetricValue:
        """Return a JSON value as the value of a metric: a number, or the text of a non-finite one.

        Returns None for anything else, which is counted, except null and an empty text, which mean that there is no
        value.
        """
        if type(value) is float:
            return spell_float(value)
        if type(value) is int or (type(value) is str and value in NON_FINITE):
            return value
        if value is BEYOND:
            self._summary.lose(OUT_OF_RANGE, name)
        elif value is not None and value != "":
            self._summary.skip_text(NO_NUMBERS, name, f"{name}: {value}")
        return None

    def _parse_int(self, text: str) -> int | _OutOfRange:
        number = int(text) if len(text) <= LONGEST_WHOLE else FIRST_BEYOND
        return number if abs(number) < FIRST_BEYOND else BEYOND

    def _parse_float(self, text: str) -> float | _OutOfRange:
        number = float(text)
        if math.isinf(number):
            return BEYOND
        if (len(text) > ALWAYS_KEPT_DIGITS or abs(number) < LEAST_NORMAL) and is_rounded(text, number):
            self._summary.rounded += 1
        return number

    def _make_object(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            for name, count in Counter(name for name, _ in pairs).items():
                for _ in range(count - 1):
                    self._summary.lose("values of names that an object has twice", name)
        return found


def is_rounded(text: str, number: float) -> bool:
    """Return whether the shortest decimal of ``number``, which is stored, is another number than ``text``."""
    try:
        return Decimal(text) != Decimal(repr(number))
    except InvalidOperation:  # a zero with an exponent beyond the range of decimals
        return bool(text.lower().partition("e")[0].strip("+-0."))

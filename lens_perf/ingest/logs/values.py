"""Numbers as logs print them: units, thousands separators, averages in brackets, lists, values of NumPy."""

import math
import re
from decimal import Decimal
from typing import NamedTuple

from lens_perf.ingest.logs.splitting import NumberBeyondRange, load_json
from lens_perf.ingest.numbers import FIRST_BEYOND, spell_float
from lens_perf.ingest.records import MetricValue

NUMBER = re.compile(
    r"(?P<number>[-+]?+(?:[0-9]++(?:,[0-9]{3})*+(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?+[0-9]++)?+)"
    # A unit has no digits, and a single e is a truncated exponent.
    r"\s*+(?P<unit>(?:(?![eE]\Z)[A-Za-z%](?:[^\W\d]|[%/])*+)?+)"
)
NON_FINITE = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity"}
# As in np.float64(0.1) or tensor(0.1, device='cuda:0').
WRAPPERS = ("np.", "numpy.", "tensor(", "torch.tensor(", "Decimal(")
# Longer numbers are not computed by programs. This also keeps int() below its own limit.
LONGEST_NUMBER = 400
LONGEST_ITERATION = 18


class Number(NamedTuple):
    """A number and its unit, in lower case; NaN and the infinities are texts, as in ``Performance``.

    The value is None if it is beyond the range of a 64-bit float.
    """

    value: MetricValue
    unit: str


def parse_number(text: str, factor: int = 1) -> Number | None:
    """Return the number in ``text`` times ``factor``, or None.

    A float is the nearest one to the decimal text, so that it reads back as printed; the multiplication is decimal.
    """
    text = _unwrap(text.strip())
    if len(text) > LONGEST_NUMBER:
        return None
    match = NUMBER.fullmatch(text)
    if match is None:
        return _parse_non_finite(text)
    digits, unit = match["number"].replace(",", ""), match["unit"].lower()
    return Number(_read_digits(digits, factor), unit)


def _read_digits(digits: str, factor: int) -> MetricValue:
    """Return a number in decimal times ``factor``, or None if it is beyond the range of a 64-bit float."""
    if factor == 1 and digits.lstrip("+-").isdecimal():
        whole = int(digits)
        return whole if abs(whole) < FIRST_BEYOND else None
    value = float(digits)
    # Not for zeros and infinities: decimals do not have all their exponents.
    if factor != 1 and value and math.isfinite(value):
        value = float(Decimal(digits) * factor)
    return value if math.isfinite(value) else None


def parse_iteration(text: str) -> int:
    """Return the whole number in a text of digits; one that is too large becomes a number that no column can store."""
    return int(text) if len(text) <= LONGEST_ITERATION else 10**LONGEST_ITERATION


def parse_numbers(text: str, factor: int = 1) -> list[tuple[str, Number]]:
    """Return the numbers of a value, each with the suffix for the metric's name; empty if there are none.

    ``22.7GiB(11.8%)`` is an amount and its share, ``512.0 (avg 511.8)`` and ``512.0/511.8`` are a value and its
    average, and a list has a number for each parameter group, or one if all are equal.
    """
    if number := parse_number(text, factor):
        return [("", number)]
    if text.startswith("["):
        return _read_list(text)
    current, average = _find_pair(text)
    first, second = parse_number(current, factor), parse_number(average, factor)
    if first is None or second is None:
        return []
    return [("", first), ("" if second.unit == "%" != first.unit else "_average", second)]


def _find_pair(text: str) -> tuple[str, str]:
    for opening, closing in ((" (avg ", ")"), ("(", ")"), ("/", "")):
        current, found, second = text.partition(opening)
        if found and second.endswith(closing):
            return current, second.removesuffix(closing)
    return "", ""


def _unwrap(text: str) -> str:
    """Return the number without the text that NumPy or PyTorch prints around it."""
    if text.endswith(")") and text.startswith(WRAPPERS):
        return text.partition("(")[2][:-1].partition(",")[0].strip()
    return text


def _parse_non_finite(text: str) -> Number | None:
    """Return NaN or an infinity as text, with the unit of a text such as ``nanms``."""
    word = text.lstrip("+-").lower()
    if name := NON_FINITE.get(word):
        return Number(f"-{name}" if name == "Infinity" and text.startswith("-") else name, "")
    return Number("NaN", word[3:]) if word.startswith("nan") and word[3:] in {"ms", "s", "%"} else None


def _read_list(text: str) -> list[tuple[str, Number]]:
    try:
        groups, tail = load_json(text.replace("(", "[").replace(")", "]"))
    except ValueError:
        return []
    if tail or not isinstance(groups, list):
        return []
    distinct = _find_distinct(groups)
    while len(distinct) == 1 and isinstance(distinct[0], list):
        distinct = _find_distinct(distinct[0]) if len(distinct[0]) == 1 else distinct[0]
    return [
        ("" if len(distinct) == 1 else f"_{index}", Number(_read_group(group), ""))
        for index, group in enumerate(distinct)
        if isinstance(group, (int, float, NumberBeyondRange)) and not isinstance(group, bool)
    ]


def _read_group(group: int | float | str) -> MetricValue:
    """Return a number of a list as the value of a metric, None if it is beyond the range of a 64-bit float."""
    if isinstance(group, float):
        return spell_float(group)
    return group if isinstance(group, int) and abs(group) < FIRST_BEYOND else None


def _find_distinct(groups: list[object]) -> list[object]:
    """Return the groups without repetitions, in order."""
    # By their text: comparing each of thousands of groups with each would be slow.
    return list({repr(group): group for group in groups}.values())

"""From the words of training logs to metric names and numbers: one vocabulary for what frameworks call differently."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from lens_perf.ingest.records import MetricValue


@dataclass(frozen=True)
class Field:
    """What a field of a log becomes: the metric's name and what its number is multiplied by."""

    name: str
    factor: int = 1


ELAPSED = "elapsed_time_per_iteration_ms"

# Names of fields as logs print them, in lower case. What is not listed keeps its words: see spell_name.
FIELDS = {
    "elapsed time per iteration (ms)": Field(ELAPSED),
    "elapsed time per iteration (s)": Field(ELAPSED, 1000),
    "throughput per gpu (tflop/s/gpu)": Field("tflops"),
    "approx flops per gpu": Field("tflops"),
    "tflops": Field("tflops"),
    "tokens per gpu (tokens/s/gpu)": Field("tokens_per_second_per_gpu"),
    "tokens per gpu per second (tgs)": Field("tokens_per_second_per_gpu"),
    "samples/sec": Field("samples_per_second"),
    "samples per second": Field("samples_per_second"),
    "number of skipped iterations": Field("skipped_iterations"),
    "number of nan iterations": Field("nan_iterations"),
    "lr": Field("learning_rate"),
    "mfu": Field("mfu_percent"),
}

# "rank-4 rocm max mem usage/usage_ratio": the parts after "mem" name the numbers of the value, and the rank changes.
MEMORY_FIELD = re.compile(r"(?:rank-(?P<rank>\d+) )?(?P<device>[a-z ]*\bmem) (?P<parts>\w+(?:/\w+)+)")
PAIR = re.compile(r"([^/]+)/([^/]+)")
# As in 22.73GiB(11.84%): an amount and its share of what there is.
WITH_SHARE = re.compile(r"(?P<value>[^()]+)\((?P<share>[^()]+%)\)")

NUMBER = re.compile(r"(?P<number>[-+]?(?:\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>[A-Za-z%]*)")
NON_FINITE = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity"}
# Units that become part of a name which is not in the vocabulary.
UNITS = {"%": "percent", "gib": "gib", "gb": "gb", "mib": "mib", "mb": "mb", "ms": "ms", "s": "s"}


def read_field(name: str, text: str, fields: Mapping[str, Field], *, verbatim: bool = False) -> dict[str, MetricValue]:
    """Return the metrics of the field that a log calls ``name``; none if ``text`` holds no number.

    ``fields`` goes before the vocabulary. ``verbatim`` keeps a name that is in neither as it is.
    """
    words = " ".join(name.lower().split())
    known = fields.get(words) or FIELDS.get(words)
    field = known or Field(name if verbatim else spell_name(words))
    if numbers := _read_number(field, text, known):
        return numbers
    if text.startswith("["):
        return _read_list(field.name, text)
    if share := WITH_SHARE.fullmatch(text):
        return _read_number(field, share["value"], known) | _read_number(field, share["share"], known)
    if memory := _read_memory(words, text):
        return memory
    if pair := PAIR.fullmatch(text):
        current, average = _read_number(field, pair[1], known), _read_number(field, pair[2], known)
        both = current and average
        return current | {f"{metric}_average": value for metric, value in average.items()} if both else {}
    return {}


@lru_cache(maxsize=4096)
def spell_name(words: str) -> str:
    """Return ``words`` as a metric name: lower case, all else than letters and digits an underscore."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def parse_number(text: str, factor: int = 1) -> int | float | str | None:
    """Return the number at the start of ``text``, whatever unit is glued to it; None if there is none.

    A float is the nearest to the decimal text, so that it reads back as printed; multiplying is done in decimal. NaN
    and the infinities, in any spelling, become the texts that JSONB can hold.
    """
    return _parse(text, factor)[0]


def _parse(text: str, factor: int) -> tuple[int | float | str | None, str]:
    """Return the number and its unit, in lower case."""
    match = NUMBER.fullmatch(text.strip())
    if match is None:
        return _parse_non_finite(text.strip()), ""
    digits, unit = match["number"].replace(",", ""), match["unit"].lower()
    if factor == 1:
        number = int(digits) if digits.lstrip("+-").isdecimal() else float(digits)
    else:
        number = float(Decimal(digits) * factor)
    if number in (math.inf, -math.inf):
        return ("Infinity" if number > 0 else "-Infinity"), unit
    return number, unit


def _parse_non_finite(text: str) -> str | None:
    name = NON_FINITE.get(text.lstrip("+-").lower())
    return f"-{name}" if name == "Infinity" and text.startswith("-") else name


def _read_number(field: Field, text: str, known: Field | None) -> dict[str, MetricValue]:
    number, unit = _parse(text, field.factor)
    if number is None:
        return {}
    name = UNITS.get(unit) if unit and not known else None
    return {f"{field.name}_{name}" if name else field.name: number}


def _read_memory(words: str, text: str) -> dict[str, MetricValue]:
    """Return the numbers of a memory field, whose name lists them, each under a name with its unit."""
    match = MEMORY_FIELD.fullmatch(words)
    parts, values = (match["parts"].split("/"), text.split("/")) if match else ([], [])
    if match is None or len(parts) != len(values):
        return {}
    device = spell_name(match["device"])
    found: dict[str, MetricValue] = {f"{device}_rank": int(match["rank"])} if match["rank"] else {}
    for part, value in zip(parts, values, strict=True):
        numbers = _read_number(Field(f"{device}_{part.removesuffix('_ratio')}"), value, None)
        if not numbers:
            return {}
        found |= numbers
    return found


def _read_list(name: str, text: str) -> dict[str, MetricValue]:
    """Return what a list tells of parameter groups: one metric if all agree, else one for each, numbered."""
    try:
        groups: list[Any] = json.loads(text)
    except ValueError:
        return {}
    distinct = [group for index, group in enumerate(groups) if group not in groups[:index]]
    while len(distinct) == 1 and isinstance(distinct[0], list):
        distinct = distinct[0]
    numbers = {index: group for index, group in enumerate(distinct) if type(group) in (int, float)}
    return {name if len(distinct) == 1 else f"{name}_{index}": number for index, number in numbers.items()}

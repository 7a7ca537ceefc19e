"""Maps names in training logs to metric names: one vocabulary for all frameworks."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from lens_perf.ingest.logs.values import NON_FINITE, Number, parse_number, parse_numbers
from lens_perf.ingest.records import MetricValue

__all__ = ["ELAPSED", "FIELDS", "NON_FINITE", "Field", "find_field", "read_field", "spell_name"]


@dataclass(frozen=True)
class Field:
    """The metric of a field: its name and the factor for its number.

    ``parts`` names the numbers of a value with several numbers between slashes.
    """

    name: str
    factor: int = 1
    parts: tuple[str, ...] = ()


ELAPSED = "elapsed_time_per_iteration_ms"
# Units that are appended to names that are not in the vocabulary.
UNITS = {"%": "percent", "gib": "gib", "gb": "gb", "mib": "mib", "mb": "mb", "ms": "ms", "s": "s"}
NOT_IN_A_NAME = re.compile(r"[\W_]++")


def read_names(table: Mapping[str, object]) -> dict[str, Field]:
    """Return the fields of a TOML table of names: a metric, or a table with name, factor and parts.

    Raises ValueError, which names the key and what is expected.
    """
    return {words: _read_name(words, value) for words, value in table.items()}


def _read_name(words: str, value: object) -> Field:
    if isinstance(value, str):
        return Field(value)
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return Field("", 1, tuple(value))
    if isinstance(value, dict) and value.keys() == {"name", "factor"}:
        name, factor = value["name"], value["factor"]
        if isinstance(name, str) and type(factor) is int and factor > 0:
            return Field(name, factor)
    raise ValueError(
        f"names.{words!r}: expected a metric's name, a list of names for numbers between slashes, "
        "or a table with name and factor, a whole number above 0"
    )


VOCABULARY = files(__package__) / "vocabulary.toml"
# Names of fields in logs, in lower case. Other names keep their words: see spell_name.
FIELDS = read_names(tomllib.loads(VOCABULARY.read_text("utf-8"))["names"])


@lru_cache(maxsize=4096)
def fold_words(name: str) -> str:
    """Return the words of a field's name as the vocabulary lists them."""
    return " ".join(name.lower().split())


def find_field(name: str, fields: Mapping[str, Field]) -> Field | None:
    """Return the entry of the vocabulary for a field; ``fields`` takes precedence."""
    words = fold_words(name)
    return fields.get(words) or FIELDS.get(words)


@lru_cache(maxsize=4096)
def spell_name(words: str) -> str:
    """Return ``words`` as a metric name: lower case, with underscores for everything but letters and digits."""
    return NOT_IN_A_NAME.sub("_", words.lower()).strip("_")


def split_rank(words: str) -> tuple[str, str]:
    """Return the rank in the name of a list of memory, empty if there is none, and the name without it.

    As in ``rank-4 rocm max mem usage/usage_ratio: 232.82GB/80.84%``, where the rank changes.
    """
    device, _, listed = words.rpartition(" ")
    if not device.startswith("rank-") or not _lists_memory(device, listed):
        return "", words
    rank, _, words = words.removeprefix("rank-").partition(" ")
    return rank, words


def _lists_memory(device: str, listed: str) -> bool:
    return "/" in listed and device.endswith(("mem", "memory"))


def read_field(name: str, text: str, fields: Mapping[str, Field], *, verbatim: bool = False) -> dict[str, MetricValue]:
    """Return the metrics of the field ``name`` of a log; none if ``text`` has no number.

    ``fields`` takes precedence over the vocabulary. ``verbatim`` keeps names that are in neither.
    """
    known = find_field(name, fields)
    if known and known.parts:
        return _read_parts(known.parts, text)
    if known is None and "/" in name and (memory := _read_memory(fold_words(name), text)):
        return memory
    stem = known.name if known else name if verbatim else spell_name(name) or name
    found: dict[str, MetricValue] = {}
    for suffix, number in parse_numbers(text, known.factor if known else 1):
        unit = _spell_unit(number) if known is None or (found and not suffix) else ""
        found[f"{stem}{unit}{suffix}"] = number.value
    return found


def _spell_unit(number: Number) -> str:
    unit = UNITS.get(number.unit)
    return f"_{unit}" if unit else ""


def _read_parts(names: tuple[str, ...], text: str) -> dict[str, MetricValue]:
    numbers = [parse_number(part.strip().strip("()")) for part in text.split("/")]
    if len(numbers) != len(names):
        return {}
    return {name: number.value for name, number in zip(names, numbers, strict=True) if number}


def _read_memory(words: str, text: str) -> dict[str, MetricValue]:
    """Return the numbers of a field whose name lists them, each under a name with its unit."""
    rank, words = split_rank(words)
    device, _, listed = words.rpartition(" ")
    parts, values = listed.split("/"), text.split("/")
    if not _lists_memory(device, listed) or len(parts) != len(values):
        return {}
    found: dict[str, MetricValue] = {}
    if number := parse_number(rank):
        found[f"{spell_name(device)}_rank"] = number.value
    for part, value in zip(parts, values, strict=True):
        number = parse_number(value)
        if number is None:
            return {}
        found[f"{spell_name(device)}_{part.removesuffix('_ratio')}{_spell_unit(number)}"] = number.value
    return found

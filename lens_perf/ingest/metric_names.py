"""From the words of training logs to metric names: one vocabulary for what each framework calls differently."""

import re
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Field:
    """What a field of a log becomes: the metric's name and what its number is multiplied by."""

    name: str
    factor: int = 1


# Names of fields as logs print them, in lower case. What is not listed keeps its words: see spell_name.
FIELDS = {
    "elapsed time per iteration (ms)": Field("elapsed_time_per_iteration_ms"),
    "elapsed time per iteration (s)": Field("elapsed_time_per_iteration_ms", 1000),
    "throughput per gpu (tflop/s/gpu)": Field("tflops"),
    "approx flops per gpu": Field("tflops"),
    "tflops": Field("tflops"),
    "tokens per gpu (tokens/s/gpu)": Field("tokens_per_second_per_gpu"),
    "tokens per gpu per second (tgs)": Field("tokens_per_second_per_gpu"),
    "samples/sec": Field("samples_per_second"),
    "samples per second": Field("samples_per_second"),
    "number of skipped iterations": Field("skipped_iterations"),
    "number of nan iterations": Field("nan_iterations"),
}

# "rank-4 rocm max mem usage/usage_ratio": the parts after "mem" name the numbers of the value, and the rank changes.
MEMORY_FIELD = re.compile(r"(?:rank-(?P<rank>\d+) )?(?P<device>[a-z ]*\bmem) (?P<parts>\w+(?:/\w+)+)")


def find_field(text: str) -> Field:
    """Return what the field that a log calls ``text`` becomes."""
    words = " ".join(text.lower().split())
    return FIELDS.get(words) or Field(spell_name(words))


def spell_name(words: str) -> str:
    """Return ``words`` as a metric name: lower case, all else than letters and digits an underscore."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


NUMBER = re.compile(r"(?P<number>[-+]?(?:\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>[A-Za-z%]*)")
NON_FINITE = {
    "nan": "NaN",
    "inf": "Infinity",
    "infinity": "Infinity",
}


def parse_number(text: str, factor: int = 1) -> int | float | str | None:
    """Return the number at the start of ``text``, whatever unit is glued to it; None if there is none.

    A float is the nearest to the decimal text, so that it reads back as printed; multiplying is done in decimal. NaN
    and the infinities, in any spelling, become the texts that JSONB can hold.
    """
    sign, bare = ("-" if text.startswith("-") else ""), text.lstrip("+-").lower()
    if bare in NON_FINITE:
        return NON_FINITE[bare] if bare == "nan" else sign + NON_FINITE[bare]
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = match["number"].replace(",", "")
    if factor == 1 and digits.lstrip("+-").isdecimal():
        return int(digits)
    return float(Decimal(digits) * factor)


def read_unit(text: str) -> str:
    """Return the unit glued to the number ``text``, or an empty text."""
    match = NUMBER.fullmatch(text)
    return match["unit"] if match else ""

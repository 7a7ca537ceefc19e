"""The dialects of training logs, each a declaration: adding one is adding a declaration here and a sample to the tests.

A dialect has forms of line. One form or more reports iterations; others only add to the iteration before them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lens_perf.ingest.logs.metric_names import ELAPSED, Field
from lens_perf.ingest.logs.stamps import strip_colours


@dataclass(frozen=True)
class Line:
    """What a line says, its fields still in the words of the log."""

    iteration: int | None
    target: int | None
    created_at: datetime | None
    prefix: str
    fields: list[tuple[str, str]]
    name_prefix: str = ""


SPLITS = {"val": "validation"}


@dataclass(frozen=True)
class Form:
    """A form of line, by patterns.

    ``marker`` is in every such line: the test that spares all others the pattern. ``pattern`` has the group
    ``fields`` and may have ``prefix``, ``iteration``, ``target``, ``lead`` (a field ahead of the others), ``split`` and
    ``data`` (the part of the data that the metrics are of). ``pair`` finds a field's name and value, ``names`` says
    what some become, and ``name_prefix`` and ``name_suffix`` surround the names of its metrics.
    """

    name: str
    marker: bytes
    pattern: re.Pattern[str]
    pair: re.Pattern[str]
    names: Mapping[str, Field] = field(default_factory=dict)
    name_prefix: str = ""
    name_suffix: str = ""
    verbatim: bool = False
    reports: bool = True

    def read(self, text: str) -> Line | None:
        """Return what the line says, or None if it is not of this form."""
        match = self.pattern.search(text)
        if match is None:
            return None
        found = match.groupdict()
        fields = f"{found.get('lead') or ''}{found['fields']}"
        split = found.get("data") or found.get("split")
        return Line(
            iteration=int(found["iteration"]) if found.get("iteration") else None,
            target=int(found["target"]) if found.get("target") else None,
            created_at=None,
            prefix=found.get("prefix") or "",
            fields=[(name.strip(), value.strip()) for name, value in self.pair.findall(fields)],
            name_prefix=f"{SPLITS.get(split, split)}_" if split else self.name_prefix,
        )


@dataclass(frozen=True)
class MlperfForm:
    """Lines of MLPerf logging: a JSON object with key, value, time and the iteration in its metadata.

    https://github.com/mlcommons/logging. Lines without an iteration are settings and marks of phases.
    """

    name: str = "MLPerf event"
    marker: bytes = b":::MLLOG"
    names: Mapping[str, Field] = field(default_factory=dict)
    name_suffix: str = ""
    verbatim: bool = True
    reports: bool = True
    iteration_keys: tuple[str, ...] = ("step_num", "step", "samples_count")

    def read(self, text: str) -> Line | None:
        """Return the numbers of an event that names an iteration, or None."""
        try:
            event: dict[str, Any] = json.loads(text[text.index("{") :])
            metadata = event.get("metadata") or {}
            iterations = [metadata[key] for key in self.iteration_keys if type(metadata.get(key)) is int]
            created_at = datetime.fromtimestamp(event["time_ms"] / 1000, UTC)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return None
        fields = list(_flatten(event.get("key"), event.get("value")))
        return Line(iterations[0], None, created_at, "", fields) if iterations and fields else None


def _flatten(key: Any, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flatten(name, inner)
    elif type(value) in (int, float):
        yield str(key), repr(value)


@dataclass(frozen=True)
class Dialect:
    """The forms of line that one family of training programs prints."""

    name: str
    forms: tuple[Form | MlperfForm, ...]


COLON_PAIR = re.compile(r"([^|]*[^|:\s][^|:]*):\s*([^|:]*)(?:\||$)")
LM_LOSS = Field("lm_loss")

MEGATRON = Dialect(
    "Megatron-LM",
    (
        Form(
            "iteration line",
            b"iteration",
            # GPT-NeoX prints one field ahead of the iteration.
            re.compile(
                r"^(?P<prefix>.*?)(?:(?<!\S)(?P<lead>[A-Za-z/]+:\s*[^|\[\]]+\|)\s*)?"
                r"\biteration\s+(?P<iteration>\d+)/\s*(?P<target>\d+)(?P<fields>\s*\|.*)"
            ),
            COLON_PAIR,
        ),
        Form(
            "validation line",
            b" at ",
            re.compile(
                r"^(?P<prefix>.*?)\b(?P<split>validation|test) (?:loss|results) at (?:iteration\s+(?P<iteration>\d+)"
                r"(?: on)?|the end of training(?: for)?)\s*(?P<data>validation|val|test)?[^|]*(?P<fields>\|.*)"
            ),
            re.compile(r"\|\s*([^|:]+?)(?: value)?:\s*([^|:]*)"),
            reports=False,
        ),
        Form(
            "timers",
            b"time (ms) |",
            re.compile(r"^(?P<prefix>(?:(?!rank=).)*)\btime \(ms\) (?P<fields>\|.*)"),
            COLON_PAIR,
            name_suffix="_time_ms",
            reports=False,
        ),
    ),
)

DEEPSPEED = Dialect(
    "DeepSpeed",
    (
        Form(
            "step line",
            b" step=",
            re.compile(r"^(?P<prefix>.*\[Rank \d+\]) step=(?P<iteration>\d+),(?P<fields>.*)"),
            re.compile(r"(\w+)=(\[.*?\]|[^,\[]+)(?=,\s*\w+=|\s*$)"),
            {"lr": Field("learning_rate"), "mom": Field("momentum"), "skipped": Field("skipped_iterations")},
        ),
        Form(
            "steps line",
            b"steps: ",
            re.compile(r"^(?P<prefix>.*?)\bsteps: (?P<iteration>\d+) (?P<fields>loss: .*)"),
            re.compile(r"([a-z][\w/ ]*(?:\(\w+\))?): (\S+)"),
            {"iter time (s)": Field(ELAPSED, 1000)},
        ),
        Form(
            "timers",
            b"time (ms) |",
            re.compile(r"^(?P<prefix>.*)\brank=\d+ time \(ms\) (?P<fields>\|.*)"),
            COLON_PAIR,
            name_suffix="_time_ms",
            reports=False,
        ),
    ),
)

TORCHTITAN = Dialect(
    "torchtitan",
    (
        Form(
            "step line",
            b"step:",
            re.compile(r"^(?P<prefix>.*?)\b(?<!validate )step:\s*(?P<iteration>\d+)\s+(?P<fields>\w+: .*)"),
            re.compile(r"([\w/]+):\s*(\S+)"),
            {
                "loss": LM_LOSS,
                "tps": Field("tokens_per_second_per_gpu"),
            },
        ),
        Form(
            "validation line",
            b"validate step:",
            re.compile(r"^(?P<prefix>.*?)\bvalidate step:\s*(?P<iteration>\d+)\s+(?P<fields>\w+: .*)"),
            re.compile(r"([\w/]+):\s*(\S+)"),
            {"loss": Field("lm_loss"), "tps": Field("tokens_per_second_per_gpu")},
            name_prefix="validation_",
            reports=False,
        ),
    ),
)

NANOGPT = Dialect(
    "nanoGPT",
    (
        Form(
            "iteration line",
            b"iter ",
            re.compile(r"^(?P<prefix>.*?)\biter (?P<iteration>\d+): (?P<fields>loss .*)"),
            re.compile(r"([a-z][a-z ]*?) ([^\s,]+)(?:,|$)"),
            {"loss": LM_LOSS, "time": Field(ELAPSED)},
        ),
        Form(
            "evaluation line",
            b"step ",
            re.compile(r"^(?P<prefix>.*?)\bstep (?P<iteration>\d+): (?P<fields>train loss .*)"),
            re.compile(r"([a-z][a-z ]*?) ([^\s,]+)(?:,|$)"),
            {"train loss": Field("train_lm_loss"), "val loss": Field("validation_lm_loss")},
        ),
    ),
)

MLPERF = Dialect("MLPerf logging", (MlperfForm(),))

TRAINER = Dialect(
    "Hugging Face Trainer",
    (
        Form(
            "printed dictionary",
            b"'epoch':",
            re.compile(r"^(?P<prefix>[^{]*)(?P<fields>\{'.*'epoch':.*\})\s*$"),
            re.compile(r"'([^']+)':\s*'?([^,'}]+)"),
            verbatim=True,
        ),
    ),
)

# Where a log holds several, the first reports; the others tell of the same iterations.
DIALECTS = (MEGATRON, TORCHTITAN, NANOGPT, MLPERF, TRAINER, DEEPSPEED)


def find_dialect(head: bytes) -> str | None:
    """Return the name of the dialect of the first line that reports an iteration, or None."""
    forms = [(form, dialect) for dialect in DIALECTS for form in dialect.forms if form.reports]
    for line in head.splitlines():
        for form, dialect in forms:
            if form.marker in line and form.read(strip_colours(line.decode("utf-8", "replace"))):
                return dialect.name
    return None

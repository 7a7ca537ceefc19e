"""Printed values are read back exactly, regardless of the changes that launchers and terminals make to lines."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.logs.dialect_files import load_built_in_dialects
from lens_perf.ingest.logs.lines import split_whole_lines
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Record
from tests.ingest.logs.printers import PRINTERS, Printed, Reported

NOISE = [
    "",
    " > finished loading data",
    "W0522 20:09:41.123 torch/distributed/run.py:792] ****",
    "saving checkpoint at iteration 5000 to /checkpoints",
    "Traceback (most recent call last):",
    "step 5 of the plan: {'a': 1}",
    "| NVIDIA-SMI 550.54 | Driver Version: 550.54 | CUDA Version: 12.4 |",
    "損失 と 精度",
]
# Prefixes of a launcher, of torchrun, and of a logger.
PREFIXES = ["", "3: ", "[rank3]: "]
LONG_PREFIX = "[20260822 15:51:01][rank-7/8][INFO ] [utils.py:429] : "
COLOURS = ("\x1b[32m", "\x1b[0m")
# Values whose digits programs print completely.
VALUES = st.floats(1e-6, 1e6) | st.floats(-1e3, -1e-3)


@st.composite
def reported(draw: st.DrawFn, least: int = 1) -> list[Reported]:
    """Return records with rising iterations."""
    first, step = draw(st.integers(1, 5000)), draw(st.integers(1, 100))
    values = draw(st.lists(st.tuples(VALUES, VALUES), min_size=least, max_size=8))
    return [Reported(first + step * index, *pair) for index, pair in enumerate(values)]


def read(text: str, cuts: list[int]) -> tuple[list[Record], ReadSummary]:
    content = text.encode()
    places = sorted({0, *(cut for cut in cuts if cut < len(content)), len(content)})
    summary = ReadSummary()
    chunks = split_whole_lines(content[begin:end] for begin, end in pairwise(places))
    return [record for record in assemble(read_log(chunks, summary), summary) if record], summary


def values_of(records: list[Record], printed: Printed) -> list[tuple[object, ...]]:
    return [
        (each.iteration, each.performance.get(printed.loss), each.performance.get(printed.extra)) for each in records
    ]


@pytest.mark.parametrize("name", PRINTERS)
@settings(max_examples=15)
@given(records=reported(), seed=st.integers(0, 1000), cuts=st.lists(st.integers(0, 2000), max_size=4))
def test_printed_values_are_read_back(name: str, records: list[Reported], seed: int, cuts: list[int]) -> None:
    printed, chance = PRINTERS[name], random.Random(seed)
    doubled, coloured = chance.random() < 0.5, chance.random() < 0.5
    prefix = chance.choice([*PREFIXES, LONG_PREFIX] if printed.one_line else PREFIXES[: 1 if name == "Keras" else None])
    lines = []
    for each in records:
        block = [f"{prefix}{line}" for line in printed.print(each)]
        block = [line.join(COLOURS) for line in block] if coloured and name != "OLMo" else block
        lines += [chance.choice(NOISE)] * chance.randrange(3) + block + (block if doubled else [])
    found, summary = read("\n".join(lines) + "\n", cuts)
    assert values_of(found, printed) == records
    assert summary.restarts == 0
    assert summary.is_complete


@pytest.mark.parametrize("name", [name for name, printed in PRINTERS.items() if printed.ranks])
@settings(max_examples=8)
@given(records=reported(least=2), lag=st.integers(0, 1))
def test_among_several_ranks_the_first_counts(name: str, records: list[Reported], lag: int) -> None:
    printed = PRINTERS[name]
    rest: list[list[str]] = [[] for _ in range(lag)]
    lines = []
    for each in records:
        lines += [f"[rank0]: {line}" for line in printed.print(each)]
        rest.append([f"[rank1]: {line}" for line in printed.print(each._replace(loss=-5.0, extra=-6.0))])
        lines += rest.pop(0)
    found, summary = read("\n".join(lines) + "\n", [])
    assert values_of(found, printed) == records
    assert summary.restarts == 0


@pytest.mark.parametrize("name", PRINTERS)
@settings(max_examples=8)
@given(records=reported(least=2), cut=st.integers(1, 60))
def test_a_truncated_log_is_read_up_to_its_end(name: str, records: list[Reported], cut: int) -> None:
    printed = PRINTERS[name]
    text = "".join(f"{line}\n" for each in records for line in printed.print(each))
    last = sum(len(line) + 1 for line in printed.print(records[-1]))
    found, summary = read(text[: -min(cut, last)], [])
    assert values_of(found, printed)[: len(records) - 1] == records[:-1]
    assert len(found) <= len(records)
    assert summary.restarts == 0
    whole, _ = read(text, [])
    for record, complete in zip(found, whole, strict=False):
        assert record.performance.items() <= complete.performance.items()
    if printed.one_line and found[:-1] == whole[:-1] and found[-1:] != whole[len(found) - 1 : len(found)]:
        assert not summary.is_complete


@pytest.mark.parametrize("name", PRINTERS)
@settings(max_examples=6)
@given(first=reported(least=2), second=reported(least=2))
def test_decreasing_iterations_are_a_restart(name: str, first: list[Reported], second: list[Reported]) -> None:
    printed = PRINTERS[name]
    begin = (
        ['0: :::MLLOG {"key": "run_start", "value": null, "time_ms": 1, "metadata": {}}'] if "MLPerf" in name else []
    )
    lines = [line for each in first for line in printed.print(each)] + begin
    lines += [line for each in second for line in printed.print(each)]
    found, summary = read("\n".join(lines) + "\n", [])
    before, after = first[-1].iteration, second[0].iteration
    # The same iteration with the same values is a repeated line.
    if before != after:
        assert summary.restarts == (after < before)
        assert values_of(found, printed) == [*first, *second]


@pytest.mark.parametrize("name", PRINTERS)
def test_two_dialects_in_one_log_are_not_mixed(name: str) -> None:
    libraries = {dialect.name for dialect in load_built_in_dialects() if dialect.library}
    first = [Reported(10 * number, number + 0.25, number + 0.5) for number in range(1, 8)]
    second = [each._replace(iteration=each.iteration + 3, loss=-each.loss) for each in first]
    for other in PRINTERS:
        if other == name:
            continue
        lines = [line for each in first for line in PRINTERS[name].print(each)]
        lines += [line for each in second for line in PRINTERS[other].print(each)]
        found, summary = read("\n".join(lines) + "\n", [])
        expected = [values_of(found, PRINTERS[name]) == first, values_of(found, PRINTERS[other]) == second]
        assert any(expected), other
        assert summary.restarts == 0
        if not {name, other} & libraries:
            assert not summary.is_complete, other


def test_every_dialect_has_a_printer() -> None:
    assert set(PRINTERS) == {dialect.name for dialect in load_built_in_dialects()}

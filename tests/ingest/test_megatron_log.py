"""The dialects of iteration lines, and what is made of damaged ones."""

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.errors import ImportInputError
from lens_perf.ingest.log_lines import read_lines
from lens_perf.ingest.megatron_log import MegatronLogReader
from lens_perf.ingest.metric_names import find_field, parse_number
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Record


def read(*lines: str, **options: object) -> tuple[list[Record], ReadSummary]:
    summary = ReadSummary()
    return list(MegatronLogReader(summary, **options).read_records(lines)), summary  # type: ignore[arg-type]


def line(iteration: int, fields: str = "lm loss: 1.5E+00 |", prefix: str = "") -> str:
    return f"{prefix} iteration {iteration:8d}/     100 | {fields}"


def test_every_form_of_field() -> None:
    fields = (
        " consumed samples:          896 | elapsed time per iteration (s): 100.19 | tokens per GPU (tokens/s/GPU): "
        "14324.6/14283.8 | learning rate: 5.000000E-06 | lm loss: 1.186185E+01 | grad norm: nan | num zeros: -inf | "
        "hip mem usage/free/total/usage_ratio: 232.82GB/55.17GB/287.98GB/80.84%  | "
        "rank-4 rocm max mem usage/usage_ratio: 248.37GiB/86.25% | tps: 19,658 | mtp_1 loss: 2.5"
    )
    ((record,), summary) = read(line(7, fields, " samples/sec: 87.558 |"))
    assert record.performance == {
        "samples_per_second": 87.558,
        "consumed_samples": 896,
        "elapsed_time_per_iteration_ms": 100190.0,
        "tokens_per_second_per_gpu": 14324.6,
        "tokens_per_second_per_gpu_average": 14283.8,
        "learning_rate": 5e-06,
        "lm_loss": 11.86185,
        "grad_norm": "NaN",
        "num_zeros": "-Infinity",
        "hip_mem_usage_gb": 232.82,
        "hip_mem_free_gb": 55.17,
        "hip_mem_total_gb": 287.98,
        "hip_mem_usage_percent": 80.84,
        "rocm_max_mem_rank": 4,
        "rocm_max_mem_usage_gib": 248.37,
        "rocm_max_mem_usage_percent": 86.25,
        "tps": 19658,
        "mtp_1_loss": 2.5,
        "target_iteration": 100,
    }
    assert summary.non_finite == 2
    assert not summary.skipped


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("lm loss", "lm_loss"), ("lm_loss", "lm_loss"), ("learning rate", "learning_rate"),
        ("throughput per GPU (TFLOP/s/GPU)", "tflops"), ("TFLOPs", "tflops"), ("approx flops per GPU", "tflops"),
        ("tokens per gpu per second (tgs)", "tokens_per_second_per_gpu"), ("samples/sec", "samples_per_second"),
        ("samples per second", "samples_per_second"), ("number of nan iterations", "nan_iterations"),
        ("seq_load_balancing_loss", "seq_load_balancing_loss"), ("sop loss", "sop_loss"),
    ],
)  # fmt: skip
def test_one_vocabulary(words: str, name: str) -> None:
    assert find_field(words).name == name


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["{:.6E}", "{:.3f}", "{!r}", "{:.17g}"]))
def test_numbers_read_back_as_printed(number: float, form: str) -> None:
    text = form.format(number)
    assert json.loads(json.dumps(parse_number(text))) == float(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("nan", "NaN"), ("-nan", "NaN"), ("NaN", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity"),
        ("+Infinity", "Infinity"), ("5.6TFLOPS", 5.6), ("12%", 12), ("1,234,567.5", 1234567.5), ("-7", -7),
        ("508582464.0", 508582464.0), (".5", 0.5), ("12 GB", 12), ("1.2.3", None), ("", None), ("[0.0, 0.0]", None),
        ("1e", 1), ("yes", None), ("99999999999999999999", 99999999999999999999),
    ],
)  # fmt: skip
def test_numbers(text: str, number: object) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("prefix", "moment"),
    [
        ("55:  [2026-05-22 02:11:05.696508]", datetime(2026, 5, 22, 2, 11, 5, 696508, UTC)),
        (" [2025-08-14 05:36:47]", datetime(2025, 8, 14, 5, 36, 47, 0, UTC)),
        ("[\x1b[32m20251030 07:33:00\x1b[0m][\x1b[36mrank-7/8\x1b[0m] : ", datetime(2025, 10, 30, 7, 33, tzinfo=UTC)),
        ("[20260511 02:59:23][rank-7/8] : [2026-05-11 02:59:22.912300]", datetime(2026, 5, 11, 2, 59, 22, 912300, UTC)),
        ("0: [default0]:", None),
    ],
)  # fmt: skip
def test_times(prefix: str, moment: datetime | None) -> None:
    ((record,), _) = read(line(1, prefix=prefix))
    assert record.created_at == moment


def test_times_in_another_zone() -> None:
    zone = timezone(timedelta(hours=2))
    ((record,), _) = read(line(1, prefix="[2026-05-22 02:11:05]"), timezone=zone)
    assert record.created_at == datetime(2026, 5, 22, 0, 11, 5, tzinfo=UTC)


def test_times_from_a_start_and_the_elapsed_times() -> None:
    fields = "elapsed time per iteration (ms): 1500.5 |"
    records, summary = read(line(1, fields), line(2, fields + " x: 1"), start_time=datetime(2026, 1, 1, tzinfo=UTC))
    assert [record.created_at for record in records] == [
        datetime(2026, 1, 1, 0, 0, 1, 500500, UTC),
        datetime(2026, 1, 1, 0, 0, 3, 1000, UTC),
    ]
    assert summary.time_basis == "the start time given and the elapsed times"


def test_restarts_and_doubled_lines() -> None:
    records, summary = read(
        line(1), line(1), line(2), line(2, "lm loss: 9 |"), line(3), line(1), line(2), line(2), line(2, "lm loss: 3 |")
    )
    assert [(record.serial, record.iteration) for record in records] == [
        (0, 1), (0, 2), (1, 2), (1, 3), (2, 1), (2, 2), (3, 2)
    ]  # fmt: skip
    assert summary.restarts == 3
    assert summary.skipped["iteration lines printed twice"].count == 2


def test_what_cannot_be_understood_is_told() -> None:
    records, summary = read(
        "iteration 5/ 100",
        line(6, "lm loss: what? | lr=[0.1, 0.2] | grad norm: 1.0"),
        "validation loss at iteration 5 | x: 1 |",
    )
    assert [record.performance for record in records] == [{"grad_norm": 1.0, "target_iteration": 100}]
    assert {reason: skipped.count for reason, skipped in summary.skipped.items()} == {
        "iteration lines without fields, perhaps cut off": 1,
        "fields that are no numbers": 1,
        "lines that report no iteration": 1,
    }
    assert "    lm loss: what?" in summary.format().splitlines()


@given(st.text(max_size=60), st.integers(0, 90))
def test_no_line_is_too_strange(text: str, cut: int) -> None:
    read(text, line(3)[:cut] + text, line(3, text))


@pytest.mark.parametrize("name", ["training.log", "training.log.gz", "no-ending"])
@pytest.mark.parametrize("zipped", [False, True])
def test_files(tmp_path: Path, name: str, zipped: bool) -> None:
    content = b"one\r\ntwo \xff\n\nlast"
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert list(read_lines(path)) == ["one", "two �", "", "last"]


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"line\n" * 1000)[:30])
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "cut.gz"):
        with pytest.raises(ImportInputError, match="cannot be read"):
            list(read_lines(path))

"""The vocabulary of metrics, and numbers as logs print them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.logs.metric_names import Field, read_field
from lens_perf.ingest.logs.values import parse_number


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("lm loss", "lm_loss"), ("lm_loss", "lm_loss"), ("learning rate", "learning_rate"), ("lr", "learning_rate"),
        ("throughput per GPU (TFLOP/s/GPU)", "tflops"), ("TFLOPs", "tflops"), ("approx flops per GPU", "tflops"),
        ("tokens per gpu per second (tgs)", "tokens_per_second_per_gpu"), ("samples/sec", "samples_per_second"),
        ("samples per second", "samples_per_second"), ("number of nan iterations", "nan_iterations"),
        ("seq_load_balancing_loss", "seq_load_balancing_loss"), ("sop loss", "sop_loss"),
    ],
)  # fmt: skip
def test_one_vocabulary(words: str, name: str) -> None:
    assert read_field(words, "1", {}) == {name: 1}


@pytest.mark.parametrize(
    ("name", "text", "metrics"),
    [
        ("elapsed time per iteration (s)", "100.19", {"elapsed_time_per_iteration_ms": 100190.0}),
        ("elapsed time per iteration (ms)", "7.5/8.5", {
            "elapsed_time_per_iteration_ms": 7.5, "elapsed_time_per_iteration_ms_average": 8.5
        }),
        ("approx flops per GPU", "5.6TFLOPS", {"tflops": 5.6}),
        ("memory", "22.73GiB(11.84%)", {"memory_gib": 22.73, "memory_percent": 11.84}),
        ("wait", "5ms", {"wait_ms": 5}),
        ("mfu", "2.78%", {"mfu_percent": 2.78}),
        ("hip mem usage/free", "1GB/2GB", {"hip_mem_usage_gb": 1, "hip_mem_free_gb": 2}),
        ("rank-4 rocm max mem usage/usage_ratio", "1GiB/2%", {
            "rocm_max_mem_rank": 4, "rocm_max_mem_usage_gib": 1, "rocm_max_mem_usage_percent": 2
        }),
        ("hip mem usage/free", "1GB/a lot", {}),
        ("lr", "[0.1, 0.1]", {"learning_rate": 0.1}),
        ("lr", "[0.1, 0.2]", {"learning_rate_0": 0.1, "learning_rate_1": 0.2}),
        ("lr", "[0.1, ", {}),
        ("lm loss", "what?", {}),
        ("lr", "[(0.1, 0.2), (0.1, 0.2)]", {"learning_rate_0": 0.1, "learning_rate_1": 0.2}),
        ("compute per GPU (TFLOP/s/GPU)", "512.0 (avg 511.8)", {"tflops": 512.0, "tflops_average": 511.8}),
        ("memory usage/free/total", "55.15GiB/50.25GiB/(58.07%)", {
            "memory_gib": 55.15, "memory_active_gib": 50.25, "memory_percent": 58.07
        }),
        ("kl", "np.float64(0.0001)", {"kl": 0.0001}),
        ("kl", "tensor(0.5, device='cuda:0')", {"kl": 0.5}),
        ("Größe", "1", {"größe": 1}),
        ("损失", "1", {"损失": 1}),
        ("...", "1", {"...": 1}),
        ("count", "9" * 5000, {}),
        ("speed", "?/1.5", {}),
        ("speed", "1.5/?", {}),
        ("lr", "[NaN, 1]", {"learning_rate_0": "NaN", "learning_rate_1": 1}),
        ("lm loss", "1e400", {"lm_loss": None}),
        ("iter time", "-1e400/1.5", {"iter_time": None, "iter_time_average": 1.5}),
        ("lr", "[1e400, 0.1]", {"learning_rate_0": None, "learning_rate_1": 0.1}),
    ],
)  # fmt: skip
def test_every_form_of_value(name: str, text: str, metrics: dict[str, float]) -> None:
    assert read_field(name, text, {}) == metrics


def test_a_dialect_takes_precedence_over_the_vocabulary() -> None:
    assert read_field("Loss", "1", {"loss": Field("lm_loss")}) == {"lm_loss": 1}
    assert read_field("Rewards/Chosen", "1", {}, verbatim=True) == {"Rewards/Chosen": 1}


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["{:.6E}", "{:.3f}", "{!r}", "{:.17g}"]))
def test_numbers_read_back_as_printed(number: float, form: str) -> None:
    text = form.format(number)
    parsed = parse_number(text)
    assert parsed is not None
    assert json.loads(json.dumps(parsed.value)) == float(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("nan", "NaN"), ("-nan", "NaN"), ("NaN", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity"),
        ("+Infinity", "Infinity"), ("5.6TFLOPS", 5.6), ("12%", 12), ("1,234,567.5", 1234567.5), ("-7", -7),
        ("508582464.0", 508582464.0), (".5", 0.5), ("12 GB", 12), ("1.2.3", None), ("", None), ("[0.0, 0.0]", None),
        ("yes", None), ("99999999999999999999", 99999999999999999999), ("5eV", 5),
        ("1.5e", None), ("1.5E", None), ("1.5e-", None), ("2 e", None), ("0x10", None), ("1.5e3x7", None),
    ],
)  # fmt: skip
def test_numbers(text: str, number: object) -> None:
    parsed = parse_number(text)
    assert (parsed and parsed.value) == number


@pytest.mark.parametrize("text", ["1e400", "-1e400", "9" * 309, "1e" + "9" * 100])
@pytest.mark.parametrize("factor", [1, 1000])
def test_numbers_beyond_the_range_of_a_float(text: str, factor: int) -> None:
    parsed = parse_number(f"{text} ms", factor)
    assert parsed == (None, "ms")


@pytest.mark.parametrize("text", ["1e-" + "9" * 100, "0e" + "9" * 100])
def test_numbers_next_to_zero(text: str) -> None:
    parsed = parse_number(text, 1000)
    assert parsed is not None
    assert parsed.value == 0

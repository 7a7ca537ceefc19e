"""The choice of a dialect by the head of a log, and the message if none matches."""

from lens_perf.ingest.logs.dialect_files import load_built_in_dialects
from lens_perf.ingest.logs.evidence import LONGEST_MATCHED, find_nearest, recognise
from tests.ingest.logs.printers import PRINTERS, Reported
from tests.ingest.logs.test_printed_logs import read, values_of

DIALECTS = load_built_in_dialects()


def print_records(name: str, count: int, first: int = 1) -> list[str]:
    records = [Reported(first + number, number + 0.5, number + 0.25) for number in range(count)]
    return [line for each in records for line in PRINTERS[name].print(each)]


def choose(*lines: str) -> str | None:
    dialect = recognise(DIALECTS, "\n".join(lines).encode())
    return dialect.name if dialect else None


def test_a_few_earlier_lines_of_another_dialect_do_not_decide() -> None:
    ahead = ["step 1: train loss 4.0, val loss 5.0", *print_records("torchtitan", 2), *print_records("torchtune", 1)]
    assert choose(*ahead, *print_records("veRL", 20)) == "veRL"


def test_source_code_before_the_log_does_not_decide() -> None:
    code = 'print0(f"step:{step}/{args.num_iterations} train_time:{time:.0f}ms step_avg:{time / step:.2f}ms")'
    source = [f"{code}  # {'x' * 200} iteration 5/ 10 and step 6" for _ in range(500)]
    assert sum(map(len, source)) > 100_000
    assert choose(*source) is None
    lines = [*source, *print_records("modded-nanoGPT", 30)]
    assert choose(*lines) == "modded-nanoGPT"
    found, summary = read("\n".join(lines) + "\n", [])
    assert len(values_of(found, PRINTERS["modded-nanoGPT"])) == 30
    assert summary.is_complete


def test_the_step_that_deepspeed_prints_at_its_start_is_not_a_report() -> None:
    engine = "[2023-10-20 00:20:33,572] [INFO] [Rank 0] step=0, skipped=0, lr=[0.0, 0.0], mom=[[0.9, 0.95]]"
    assert choose(engine) is None
    assert choose(engine, *print_records("Megatron-LM", 1)) == "Megatron-LM"


def test_a_library_yields_to_the_program_that_uses_it() -> None:
    both = [line for number in range(1, 30) for line in print_records("DeepSpeed", 1, number) * 2]
    assert choose(*both, *print_records("Megatron-LM", 10)) == "Megatron-LM"
    assert choose(*both, *print_records("Megatron-LM", 1)) == "DeepSpeed"


def test_a_program_without_reports_does_not_displace_the_library() -> None:
    timers = "time (ms) | forward-compute: 22.34 | backward-compute: 35.50"
    assert choose(*[timers] * 30, *print_records("DeepSpeed", 2)) == "DeepSpeed"


def test_timers_of_deepspeed_are_not_those_of_megatron() -> None:
    assert choose("[Rank 0] time (ms) | fwd_microstep: 22.34 | bwd_microstep: 35.50") == "DeepSpeed"
    assert choose("[Rank 0] rank=0 time (ms) | optimizer_step: 0.56") == "DeepSpeed"


def test_among_dialects_of_the_same_lines_the_one_with_rising_iterations_is_chosen() -> None:
    lines = [
        f"Training epoch {number // 3}, iteration {number % 3}/2 | global_step: {number} | reduced_train_loss: 1.5"
        for number in range(9)
    ]
    assert choose(*lines) == "NeMo"


def test_the_dialect_is_chosen_at_a_pause() -> None:
    text = "\n".join(print_records("nanoGPT", 1)) + "\n"
    found, _ = read(text, [])
    assert [record.iteration for record in found] == [1]


def test_the_nearest_dialect_is_named_with_its_line() -> None:
    nearest = find_nearest(DIALECTS, b"noise\n[rank0] iteration 5/ many | lm loss: 3\nstep\n")
    assert nearest is not None
    assert nearest.dialect.name == "Megatron-LM"
    assert str(nearest) == (
        "nearest is the iteration line of Megatron-LM, by the line '[rank0] iteration 5/ many | lm loss: 3'"
    )
    assert find_nearest(DIALECTS, b"nothing like it\n") is None


def test_lines_that_are_too_long_are_lost_and_reported() -> None:
    lines = print_records("Megatron-LM", 3)
    lines[1] = lines[1].rstrip("|") + "| x: 1 " * (LONGEST_MATCHED // 7) + "|"
    found, summary = read("\n".join(lines) + "\n", [])
    assert [record.iteration for record in found] == [1, 3]
    assert {reason: lost.count for reason, lost in summary.lost.items()} == {
        "lines of more than 65,536 characters, which are not read": 1
    }
    # Long lines that report nothing are ignored.
    _, summary = read("\n".join([*print_records("Megatron-LM", 3), "iteration " * 10_000]) + "\n", [])
    assert summary.is_complete

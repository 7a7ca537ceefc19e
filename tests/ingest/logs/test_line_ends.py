"""The last line of a log that ends without a line end."""

import pytest

from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.logs.line_ends import CUT_OFF, FEWER_FIELDS, LAST_VALUE
from lens_perf.ingest.logs.lines import split_whole_lines
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Performance

MEGATRON = "".join(f" iteration {step}/ 9 | lm loss: {step}.25E+00 | grad norm: 1.5 |\n" for step in (1, 2, 3))
TORCHTUNE = "".join(f"Step {step} | loss:{step}.5 lr:2e-06 \n" for step in (1, 2, 3))
NANOGPT = "".join(f"iter {step}: loss {step}.9000, time 1234.56ms, mfu 12.34%\n" for step in (0, 1, 2))
TRAINER = "".join(f"{{'loss': {step}.5, 'epoch': {step}.0}}\n" for step in (1, 2, 3))
OLMO = "".join(f"[step={step}/9,epoch=0]\n    loss={step}.5\n    lr=0.125\n" for step in (1, 2, 3))


def read(*files: str) -> tuple[list[Performance], ReadSummary]:
    summary = ReadSummary()
    blocks = [block for text in files for block in (text.encode(), b"")]
    records = assemble(read_log(split_whole_lines(blocks), summary), summary)
    return [record.performance for record in records if record is not None], summary


@pytest.mark.parametrize(
    ("text", "last", "reason"),
    [
        (MEGATRON[:-20], {"lm_loss": 2.25, "grad_norm": 1.5, "target_iteration": 9}, LAST_VALUE),
        (MEGATRON[:-18], {"lm_loss": 3.25, "target_iteration": 9}, FEWER_FIELDS),
        (MEGATRON[:-4], {"lm_loss": 3.25, "target_iteration": 9}, LAST_VALUE),
        (MEGATRON[:-2], {"lm_loss": 3.25, "grad_norm": 1.5, "target_iteration": 9}, None),
        (MEGATRON[:-35], {"lm_loss": 2.25, "grad_norm": 1.5, "target_iteration": 9}, CUT_OFF),
        (TORCHTUNE[:-5], {"loss": 3.5}, LAST_VALUE),
        (TORCHTUNE[:-2], {"loss": 3.5}, LAST_VALUE),
        (TORCHTUNE[:-1], {"loss": 3.5, "learning_rate": 2e-06}, None),
        (NANOGPT[:-20], {"lm_loss": 2.9}, LAST_VALUE),
        (NANOGPT[:-13], {"lm_loss": 2.9, "elapsed_time_per_iteration_ms": 1234.56}, FEWER_FIELDS),
        (NANOGPT[:-2], {"lm_loss": 2.9, "elapsed_time_per_iteration_ms": 1234.56}, LAST_VALUE),
        (NANOGPT[:-1], {"lm_loss": 2.9, "elapsed_time_per_iteration_ms": 1234.56, "mfu_percent": 12.34}, None),
        (TRAINER[:-2], {"loss": 2.5, "epoch": 2.0}, CUT_OFF),
        (TRAINER[:-1], {"loss": 3.5, "epoch": 3.0}, None),
        (OLMO[:-1], {"loss": 3.5, "target_iteration": 9}, LAST_VALUE),
    ],
)  # fmt: skip
def test_values_that_may_be_incomplete_are_lost(text: str, last: Performance, reason: str | None) -> None:
    found, summary = read(text)
    assert found[-1] == last
    assert list(summary.lost) == ([reason] if reason else [])
    assert summary.is_complete == (reason is None)


def test_another_file_does_not_continue_the_line() -> None:
    found, summary = read(MEGATRON[:-4], " iteration 4/ 9 | lm loss: 4.25E+00 | grad norm: 1.5 |\n")
    assert [each.get("grad_norm") for each in found] == [1.5, 1.5, None, 1.5]
    assert summary.lost[LAST_VALUE].count == 1


def test_noise_at_the_end_is_not_lost() -> None:
    for text in (MEGATRON + "done", TRAINER + "saved {config}", NANOGPT + "step", TORCHTUNE + "Step into"):
        _, summary = read(text)
        assert summary.is_complete


def test_a_bar_that_is_cut_off_is_no_evaluation() -> None:
    bar = "10/10 - 1s 2ms/step - loss: {} - accuracy: 0.5"
    found, summary = read("Epoch 1/2\n" + bar.format(0.5) + "\r" + bar.format(0.25)[:-2])
    assert found == [{"loss": 0.5, "accuracy": 0.5, "target_iteration": 2}]
    assert summary.lost[LAST_VALUE].count == 1

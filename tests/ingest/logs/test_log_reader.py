"""Features of all logs: times, ranks, restarts, and reports about lines that are not understood."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.logs.lines import split_lines, split_whole_lines
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.logs.report_times import MOST_REMEMBERED, TimesByIteration
from lens_perf.ingest.numbers import OUT_OF_RANGE
from lens_perf.ingest.read_summary import ReadSummary
from tests.ingest.logs.reading import line, read


@pytest.mark.parametrize(
    ("prefix", "moment"),
    [
        ("55:  [2026-05-22 02:11:05.696508]", datetime(2026, 5, 22, 2, 11, 5, 696508, UTC)),
        (" [2025-08-14 05:36:47]", datetime(2025, 8, 14, 5, 36, 47, 0, UTC)),
        ("2025-08-14T05:36:47.25+02:00", datetime(2025, 8, 14, 3, 36, 47, 250000, UTC)),
        ("2025-08-14 05:36:47,250 INFO", datetime(2025, 8, 14, 5, 36, 47, 250000, UTC)),
        ("[\x1b[32m20251030 07:33:00\x1b[0m][\x1b[36mrank-7/8\x1b[0m] : ", datetime(2025, 10, 30, 7, 33, tzinfo=UTC)),
        ("[20260511 02:59:23][rank-7/8] : [2026-05-11 02:59:22.912300]", datetime(2026, 5, 11, 2, 59, 22, 912300, UTC)),
        ("[2026-05-11 02:59:22] [2026-02-31 00:00:00]", datetime(2026, 5, 11, 2, 59, 22, 0, UTC)),
        ("0: [default0]:", None),
    ],
)  # fmt: skip
def test_times(prefix: str, moment: datetime | None) -> None:
    ((record,), _) = read(line(1, prefix=prefix))
    assert record.created_at == moment


def test_times_in_another_zone() -> None:
    options = LogOptions(timezone=timezone(timedelta(hours=2)))
    ((record,), summary) = read(line(1, prefix="[2026-05-22 02:11:05]"), options=options)
    assert record.created_at == datetime(2026, 5, 22, 0, 11, 5, tzinfo=UTC)
    assert any("UTC+02:00" in note for note in summary.notes)


def test_times_from_a_start_and_the_elapsed_times() -> None:
    fields = "elapsed time per iteration (ms): 1500.5 |"
    options = LogOptions(start_time=datetime(2026, 1, 1, tzinfo=UTC))
    records, summary = read(line(1, fields), line(2, fields + " x: 1"), line(12, fields), options=options)
    assert [record.created_at for record in records] == [
        datetime(2026, 1, 1, 0, 0, 1, 500500, UTC),
        datetime(2026, 1, 1, 0, 0, 3, 1000, UTC),
        datetime(2026, 1, 1, 0, 0, 18, 6000, UTC),
    ]
    assert "times are reckoned from --start-time and the elapsed times" in summary.notes


LABELS = [
    "",
    "0: ",
    " 15: ",
    "[rank3]: ",
    "[default7]:",
    "2026-05-22T20:09:{second:02}.123456789Z ",
    "2026-05-22T20:09:{second:02}.123456789Z stdout F ",
    "\x1b[36m(WorkerDict pid=1{second}, ip=10.0.0.{second})\x1b[0m ",
    "trainer-1  | ",
    "[pod/train-worker-0/pytorch] ",
]


@pytest.mark.parametrize("label", LABELS)
def test_lines_that_continue_a_report_are_labelled_as_it_is(label: str) -> None:
    lines: list[str] = []
    for step in (10, 20, 30):
        lines += [
            f"2025-12-27 22:12:{step}.867\tnode-3:0\tolmo.train:990\tINFO\t[step={step}/10000,epoch=0]",
            f"    train/CrossEntropyLoss={step}.5   ",
            "another process says something",
            "  warnings.warn(",
            "    System/Peak GPU Memory (MB)=38,869",
            "2025-12-27 22:12:59.000\tnode-3:0\tolmo.train:991\tINFO\tset  a=1",
            "node-4 says    b=2",
        ]
    records, _ = read(*(label.format(second=number) + each for number, each in enumerate(lines)))
    assert [(each.iteration, each.performance["train/CrossEntropyLoss"]) for each in records] == [
        (10, 10.5), (20, 20.5), (30, 30.5)
    ]  # fmt: skip
    names = {"train/CrossEntropyLoss", "System/Peak GPU Memory (MB)", "target_iteration"}
    assert {name for each in records for name in each.performance} == names


OLMO = "".join(
    f"{step}:00 INFO [step={step}/9,epoch=0]\n    loss={step}.5\nnoise\n    lr=0.1\n more=1\n    x={step}\nnoise\n" * 2
    for step in range(1, 6)
)


@given(st.lists(st.integers(1, len(OLMO) - 1), max_size=9).map(sorted))
def test_a_report_on_several_lines_may_arrive_in_parts(cuts: list[int]) -> None:
    content, whole, parts = OLMO.encode(), ReadSummary(), ReadSummary()
    blocks = [content[begin:end] for begin, end in pairwise([0, *cuts, len(content)])]
    paused = split_whole_lines(part for block in blocks if block for part in (block, None))
    records = {each.iteration: each.performance for each in assemble(read_log(paused, parts), parts) if each}
    expected = assemble(read_log([content], whole), whole)
    assert records == {each.iteration: each.performance for each in expected if each}
    assert (parts.metrics, parts.restarts) == (whole.metrics, 0)
    noise = [each.skipped["lines that report no iteration"].count for each in (parts, whole)]
    assert noise[0] == noise[1]


def test_restarts_and_repeated_lines() -> None:
    records, summary = read(
        line(1), line(1), line(2), line(2, "lm loss: 9 |"), line(3), line(1), line(2), line(2), line(2, "lm loss: 3 |")
    )
    assert [(record.serial, record.iteration) for record in records] == [
        (0, 1), (0, 2), (1, 2), (1, 3), (2, 1), (2, 2), (3, 2)
    ]  # fmt: skip
    assert summary.restarts == 3
    assert summary.skipped["lines printed twice"].count == 2


def test_other_ranks_report_the_same_iterations() -> None:
    def of(rank: int, iteration: int) -> str:
        return line(iteration, f"lm loss: {rank}.5 |", f"[rank{rank}]:")

    records, summary = read(of(0, 1), of(1, 1), of(0, 2), of(0, 3), of(1, 2), of(1, 3), of(0, 4))
    assert [(each.serial, each.iteration, each.performance["lm_loss"]) for each in records] == [
        (0, 1, 0.5), (0, 2, 0.5), (0, 3, 0.5), (0, 4, 0.5)
    ]  # fmt: skip
    assert summary.skipped["lines of other ranks"].count == 3
    # After a restart another rank may report.
    records, _ = read(*(of(0, iteration) for iteration in range(1, 9)), of(3, 1), of(3, 2))
    assert [each.serial for each in records] == [0] * 8 + [1, 1]


RANKS = ("[rank{}]:", " {}: ", "[default{}]:", "[{}]<stdout>:", "[1,{}]<stdout>: ")


@pytest.mark.parametrize("prefix", RANKS)
def test_a_rank_that_lags_far_behind_is_another_rank(prefix: str) -> None:
    def of(rank: int, iteration: int, hour: int = 10) -> str:
        stamp = f"2026-03-01 {hour}:00:{iteration:02d} "
        return line(iteration, f"lm loss: {rank}.5 |", prefix.format(rank) + stamp)

    first = [of(0, iteration) for iteration in range(1, 31)]
    records, summary = read(*first, *(of(1, iteration) for iteration in range(1, 31)))
    assert [(each.serial, each.performance["lm_loss"]) for each in records] == [(0, 0.5)] * 30
    assert summary.skipped["lines of other ranks"].count == 30
    # A later time shows that training was restarted.
    records, summary = read(*first, *(of(1, iteration, 11) for iteration in range(1, 31)))
    assert [each.serial for each in records] == [0] * 30 + [1] * 30


def test_a_rank_may_fall_behind_slowly() -> None:
    def of(rank: int, iteration: int) -> str:
        return line(iteration, f"lm loss: {rank}.5 |", f"[rank{rank}]:")

    pairs = [lines for number in range(1, 20) for lines in (of(0, 2 * number), of(0, 2 * number + 1), of(1, number))]
    records, summary = read(*pairs)
    assert summary.restarts == 0
    assert len(records) == 38
    # The rank's own iterations decrease at a restart.
    records, summary = read(*pairs, of(1, 3), of(0, 3), of(1, 4), of(0, 4))
    assert [(each.serial, each.iteration) for each in records[38:]] == [(1, 3), (1, 4)]


def test_lines_that_are_not_understood_are_reported() -> None:
    records, summary = read(
        "iteration 5/ 100",
        line(6, "lm loss: what? | lr=[0.1, 0.2] | grad norm: 1.0"),
        "a line of nothing",
        " time (ms) | forward: 1.0",
    )
    assert [record.performance for record in records] == [
        {"grad_norm": 1.0, "target_iteration": 100, "forward_time_ms": 1.0}
    ]
    assert {reason: skipped.count for reason, skipped in summary.skipped.items()} == {
        "fields of the iteration line that are not numbers": 1,
        "lines that report no iteration": 1,
    }
    assert {reason: lost.count for reason, lost in summary.lost.items()} == {
        "iteration lines without fields, perhaps cut off": 1,
        "parts of the iteration line that are not fields": 1,
    }
    assert any("lm loss: what?" in shown for shown in summary.format().splitlines())


@given(st.text(max_size=60), st.integers(0, 90))
def test_no_line_is_too_strange(text: str, cut: int) -> None:
    read(text, line(3)[:cut] + text, line(3, text), "{'loss': " + text + ", 'epoch': 1}", ":::MLLOG {" + text)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_lines_do_not_depend_on_blocks(content: bytes, cuts: list[int]) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(content)), len(content)})
    blocks = [content[begin:end] for begin, end in pairwise(places)]
    expected = content.split(b"\n")
    assert list(split_lines(blocks)) == (expected if expected[-1] else expected[:-1])


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    lengths = [len(line or b"") for line in split_lines(b"x" * (1 << 18) for _ in range(64))]
    assert len(lengths) > 1
    assert max(lengths) == 1 << 20


def test_lines_of_several_processes_in_one() -> None:
    glued = f"{line(1, 'lm loss: 1.5 |')}[rank3]:[W1223 04:10:18.2 Proc.cpp:15] Warning: 3"
    two = f"{line(2, 'lm loss: 2.5 |')} [rank1] {line(3, 'lm loss: 3.5 | grad norm: 1.0 |')} trailing text"
    records, summary = read(glued, two, line(4, "lm loss: 4.5 |"))
    assert [(each.iteration, each.performance["lm_loss"]) for each in records] == [
        (1, 1.5),
        (2, 2.5),
        (3, 3.5),
        (4, 4.5),
    ]
    assert records[2].performance["grad_norm"] == 1.0
    assert set(summary.metrics) == {"lm_loss", "grad_norm", "target_iteration"}
    assert summary.is_complete
    assert summary.skipped["texts behind the fields of the iteration line"].count == 2


def test_evaluations_and_timers_are_not_restarts() -> None:
    records, summary = read(
        line(10), " validation loss at iteration 10 | lm loss value: 2.5 |", line(20),
        " validation loss at iteration 10 | lm loss value: 2.5 |", " time (ms) | forward: 1.0", line(30),
        " validation loss at iteration 30 | lm loss value: 2.25 |",
        " validation loss at iteration 30 on test set | lm loss value: 2.75 |",
    )  # fmt: skip
    assert (summary.restarts, [record.iteration for record in records]) == (0, [10, 20, 30])
    assert records[-1].performance["validation_lm_loss"] == 2.25
    assert records[-1].performance["test_lm_loss"] == 2.75


def test_an_evaluation_before_the_first_report_after_a_restart_belongs_to_it() -> None:
    def of(iteration: int, loss: float) -> list[str]:
        return [f"step {iteration}: train loss 4.0, val loss {loss}", f"iter {iteration}: loss {loss}, time 5ms"]

    records, summary = read(*of(0, 4.0), *of(10, 3.0), *of(20, 2.0), *of(10, 2.5), *of(20, 1.5))
    found = [(each.serial, each.iteration, each.performance["validation_lm_loss"]) for each in records]
    assert found == [(0, 0, 4.0), (0, 10, 3.0), (0, 20, 2.0), (1, 10, 2.5), (1, 20, 1.5)]
    assert summary.restarts == 1


def test_clocks_that_are_set_back() -> None:
    zone = ZoneInfo("Europe/Zurich")
    stamps = ["01:30:00", "02:30:00", "02:59:59", "02:00:01", "02:30:00", "03:00:00"]
    lines = [line(number, prefix=f"[2026-10-25 {stamp}]") for number, stamp in enumerate(stamps)]
    records, _ = read(*lines, options=LogOptions(zone))
    times = [record.created_at for record in records if record.created_at]
    assert [f"{time:%H:%M:%S}" for time in times] == [
        "23:30:00",
        "00:30:00",
        "00:59:59",
        "01:00:01",
        "01:30:00",
        "02:00:00",
    ]


def test_decimals_that_are_rounded_are_counted() -> None:
    exact, longer = "1.8499999999999999", "0.12345678901234567890123"
    records, summary = read(line(1, f"lm loss: {exact} | aux: {longer} |"))
    assert records[0].performance == {"lm_loss": float(exact), "aux": float(longer), "target_iteration": 100}
    assert summary.rounded == 1


@pytest.mark.parametrize("damaged", ["1.5e", "0x10", "7.3.1", "1.5e-"])
def test_a_number_that_continues_as_another_text_is_lost(damaged: str) -> None:
    records, summary = read(line(1), line(2, f"lm loss: {damaged} | grad norm: 1.0 |"))
    assert [record.performance.get("lm_loss") for record in records] == [1.5, None]
    assert not summary.is_complete


def test_numbers_beyond_the_range_of_a_float_are_lost() -> None:
    event = ':::MLLOG {"key": "tracked_stats", "time_ms": 1, "value": %s, "metadata": {"samples_count": 1}}'
    epoch = '| train_inner | {"epoch": 1, "num_updates": 1, "loss": %s, "lr": "0.5"}'
    for lines in (
        [line(1), line(2, "lm loss: 1e400 | grad norm: 1.0 |")],
        [event % "2.0", event % "1e400"],
        [event % '{"loss": 1e400, "lr": 1.0}'],
        [epoch % "1e400"],
        [epoch % '"1e400"'],
        ["{'loss': 1e400, 'grad_norm': 1.0, 'epoch': 1}"],
    ):
        records, summary = read(*lines)
        assert [
            value for record in records for value in record.performance.values() if type(value) in (str, None)
        ] == []
        assert (len(records), summary.non_finite) == (len(lines) - (lines[-1] == event % "1e400"), 0)
        assert {reason: lost.count for reason, lost in summary.lost.items()} == {OUT_OF_RANGE: 1}


def test_the_time_at_which_an_iteration_was_reached() -> None:
    times, noon = TimesByIteration(), datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert times.find(5) is None
    for iteration in range(10, 10 * MOST_REMEMBERED, 10):
        times.add(iteration, noon + timedelta(seconds=iteration))
    assert times.find(5) == noon + timedelta(seconds=10)
    assert times.find(25) == noon + timedelta(seconds=30)
    assert (times.has_passed(25), times.find(10**6)) == (True, None)
    for iteration in range(10 * MOST_REMEMBERED, 20 * MOST_REMEMBERED, 10):
        times.add(iteration, None)
    # Its time is no longer stored.
    assert times.find(25) is None
    times.add(25, noon)
    assert (times.find(25), times.has_passed(25)) == (noon, False)

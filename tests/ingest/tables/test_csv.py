"""CSV files of programs: delimiters, headers, columns that count iterations, damage."""

import csv
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.errors import ImportInputError
from lens_perf.ingest.tables.evidence import find_csv_iteration
from tests.ingest.tables.reading import read_csv, values

NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp", "Nd"]), min_size=1, max_size=8)
    .map(lambda text: f"m{text}")
    .filter(lambda text: text == text.strip()),
    unique=True, min_size=1, max_size=4,
)  # fmt: skip
NUMBERS = st.none() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)


@given(NAMES, st.data(), st.sampled_from(",\t;|"), st.sampled_from(["\n", "\r\n"]))
def test_every_number_comes_back(names: list[str], data: st.DataObject, delimiter: str, end: str) -> None:
    rows = data.draw(st.lists(st.lists(NUMBERS, min_size=len(names), max_size=len(names)), min_size=1, max_size=5))
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
    writer.writerow(["step", *names])
    writer.writerows([step * 10, *row] for step, row in enumerate(rows))
    records, summary = read_csv(file.getvalue(), delimiter=delimiter)
    expected = [
        (step * 10, {name: value for name, value in zip(names, row, strict=True) if value is not None})
        for step, row in enumerate(rows)
    ]
    assert values(records) == [each for each in expected if each[1]]
    assert summary.is_complete
    assert summary.rounded == summary.restarts == 0


@pytest.mark.parametrize("header", ["step,loss", "step\tloss", "step;loss", "step|loss", "step   loss", "# step loss"])
def test_the_delimiter_is_found(header: str) -> None:
    delimiter = next((char for char in ",\t;|" if char in header), " ")
    records, summary = read_csv(f"{header}\n1{delimiter}0.5\n2{delimiter}0.25\n")
    assert values(records) == [(1, {"loss": 0.5}), (2, {"loss": 0.25})]
    assert "the iteration is step" in summary.notes


def test_what_lightning_writes() -> None:
    content = (
        "epoch,lr-AdamW,step,test_loss,train_loss,val_loss\n"
        "0,0.001,49,,2.5,\n0,,49,,,2.25\n1,0.0009,99,,2.0,\n1,,99,,,1.75\n1,,50,1.5,,\n"
    )
    records, summary = read_csv(content)
    assert values(records) == [
        (49, {"epoch": 0, "lr-AdamW": 0.001, "train_loss": 2.5, "val_loss": 2.25}),
        (99, {"epoch": 1, "lr-AdamW": 0.0009, "train_loss": 2.0, "val_loss": 1.75}),
        (50, {"epoch": 1, "test_loss": 1.5}),
    ]
    assert summary.restarts == 0
    assert summary.is_complete


def test_a_decreasing_iteration_is_a_restart() -> None:
    records, summary = read_csv("step,loss\n1,5\n2,4\n3,3\n2,4.5\n3,3.5\n")
    assert [(record.serial, record.iteration) for record in records] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)]
    assert summary.restarts == 1


@pytest.mark.parametrize(("first", "gap"), [(0, 1), (1, 1), (10, 10)])
def test_a_counter_that_restarts_in_each_epoch_continues(first: int, gap: int) -> None:
    steps = [first + gap * index for index in range(3)]
    rows = "".join(f"{epoch},{step},{epoch + step / 100}\n" for epoch in range(3) for step in steps)
    records, summary = read_csv("epoch,step,loss\n" + rows)
    assert summary.restarts == 0
    assert [record.iteration for record in records] == [first + gap * index for index in range(9)]
    assert "step begins again with each epoch: iterations are counted on from epoch to epoch" in summary.notes
    # A restart from the second epoch.
    again = "".join(f"{epoch},{step},9\n" for epoch in range(1, 4) for step in steps)
    records, summary = read_csv("epoch,step,loss\n" + rows + again)
    assert summary.restarts == 1
    assert [record.iteration for record in records if record.serial == 1] == [first + gap * i for i in range(3, 12)]


def test_a_counter_of_the_whole_training_is_preferred() -> None:
    rows = "".join(f"{epoch},{step},{3 * epoch + step}\n" for epoch in range(2) for step in range(1, 4))
    records, summary = read_csv("epoch,step,iter\n" + rows)
    assert [record.iteration for record in records] == [1, 2, 3, 4, 5, 6]
    assert "the iteration is iter" in summary.notes


def test_epochs_count_without_another_counter() -> None:
    records, summary = read_csv("epoch,accuracy,loss\n0,0.5,2\n1,0.75,1\n")
    assert values(records) == [(0, {"accuracy": 0.5, "loss": 2}), (1, {"accuracy": 0.75, "loss": 1})]
    assert "the iteration is epoch, as no other column counts iterations" in summary.notes


def test_columns_that_are_named() -> None:
    content = "batch,when,loss\n7,1769857200,0.5\n"
    with pytest.raises(ImportInputError, match="--iteration-column; the first rows have batch, when, loss"):
        read_csv(content)
    records, summary = read_csv(content, iteration_column="batch", time_column="when")
    assert values(records) == [(7, {"loss": 0.5})]
    assert records[0].created_at == datetime(2026, 1, 31, 11, tzinfo=UTC)
    assert "times are when, in seconds since 1970" in summary.notes
    with pytest.raises(ImportInputError, match="--iteration-column: no column 'it'"):
        read_csv(content, iteration_column="it")
    with pytest.raises(ImportInputError, match="--time-column: 'note' has no times, such as 'never'"):
        read_csv("step,loss,note\n1,2,never\n", time_column="note")


def test_one_value_a_row() -> None:
    content = "key,value,timestamp,step\nloss,0.5,1769857200000,1\nlr,0.1,1769857200000,1\nloss,0.25,1769857260000,2\n"
    content += "lr,0.05,1769857260000,2\nloss,0.75,1769857320000,2\n"
    records, summary = read_csv(content)
    assert values(records) == [(1, {"loss": 0.5, "lr": 0.1}), (2, {"loss": 0.25, "lr": 0.05}), (2, {"loss": 0.75})]
    assert records[1].created_at == datetime(2026, 1, 31, 11, 1, tzinfo=UTC)
    assert "key names the metric of a row, value is its value" in summary.notes
    sorted_by_name = "tag,step,value\na,1,1\na,2,2\nb,1,3\nb,2,4\n"
    records, summary = read_csv(sorted_by_name)
    assert (len(records), summary.restarts) == (2, 0)


def test_splits_are_distinguished() -> None:
    records, summary = read_csv("step,split,loss\n1,train,2\n1,val,3\n2,train,1\n")
    assert values(records) == [(1, {"train/loss": 2, "val/loss": 3}), (2, {"train/loss": 1})]
    assert summary.restarts == 0


def test_headers_of_all_kinds() -> None:
    records, summary = read_csv("\ufeffstep,loss,loss,\n1,2,3,4\nstep,loss,loss,\n2,3,4,5\n")
    assert values(records) == [(1, {"loss": 2, "loss_2": 3}), (2, {"loss": 3, "loss_2": 4})]
    assert "there are several columns loss: the next is loss_2" in summary.notes
    records, _ = read_csv("step,loss\n1,2\nstep,loss,lr\n2,3,0.1\n")
    assert values(records) == [(1, {"loss": 2}), (2, {"loss": 3, "lr": 0.1})]
    with pytest.raises(ImportInputError, match="one column"):
        read_csv("step\n1\n")


@pytest.mark.parametrize(
    "comments",
    ["# run 7, lr 0.1\n", "# hello\n", "#\n", '# "quoted, once\n', '#{"t_start": 1.5, "env_id": "a"}\n',
     "# step,loss\n", "# 1,2\n\n# 3,4\n", "\ufeff# run 7, lr 0.1\n"],
)  # fmt: skip
def test_a_comment_above_the_header(comments: str) -> None:
    content = comments + "step,loss\n1,2.5\n# resumed, once\n2,2.25\n"
    records, summary = read_csv(content)
    assert values(records) == [(1, {"loss": 2.5}), (2, {"loss": 2.25})]
    assert summary.is_complete
    assert find_csv_iteration(content.encode(), is_whole=True) == "step"


@pytest.mark.parametrize(
    "comments",
    ["# step,loss\n", "#step,loss\n", "\ufeff# step,loss\r\n", "# run 7\n# step,loss\n", "# a, b\n# step,loss\n",
     "# step,loss\n# resumed\n\n"],
)  # fmt: skip
def test_a_header_in_a_comment(comments: str) -> None:
    content = comments + "1,2.5\n2,2.25\n"
    records, summary = read_csv(content)
    assert values(records) == [(1, {"loss": 2.5}), (2, {"loss": 2.25})]
    assert summary.is_complete
    assert find_csv_iteration(content.encode(), is_whole=True) == "step"


def test_what_stable_baselines_writes() -> None:
    content = '#{"t_start": 1769857200.5, "env_id": "CartPole-v1"}\nr,l,t\n21.0,21,0.5\n9.5,12,0.75\n'
    records, summary = read_csv(content, iteration_column="l", delimiter=",")
    assert [record.performance["r"] for record in records] == [21.0, 9.5]
    assert summary.is_complete


def test_damage_affects_its_row_only() -> None:
    content = 'step,loss\n1,2\n2\n3,"4\n4,5\n5,6\n6,"7\n",8\n7,8"\n8,9,10\n9,"9"x\n10,11\n'
    records, summary = read_csv(content)
    assert values(records) == [(1, {"loss": 2}), (4, {"loss": 5}), (5, {"loss": 6}), (10, {"loss": 11})]
    assert [content[damage.byte :].split("\n", 1)[0] for damage in summary.damages] == [
        "2", '3,"4', '6,"7', "8,9,10", '9,"9"x'
    ]  # fmt: skip
    assert summary.texts == {"loss": 1}


def test_a_rewritten_file_is_not_a_restart() -> None:
    first = "step,loss\n1,5\n2,4\n3,3\n"
    records, summary = read_csv(first + "\nstep,loss,val\n1,5,\n2,4,\n3,3,\n3,,7\n4,2,\n")
    assert values(records) == [(1, {"loss": 5}), (2, {"loss": 4}), (3, {"loss": 3, "val": 7}), (4, {"loss": 2})]
    assert summary.restarts == 0
    assert summary.skipped["rows written again below another header"].count == 3
    records, summary = read_csv(first + first.replace(",5", ",6"))
    assert (len(records), summary.restarts) == (6, 1)


def test_values_that_are_not_numbers() -> None:
    records, summary = read_csv("step,loss,host\n1,0.5,a\n2,?,b\n3,nan,c\nx,1,d\n3000000000,2,e\n")
    assert values(records) == [(1, {"loss": 0.5}), (3, {"loss": "NaN"})]
    assert set(summary.list_lost()) == {
        "values that are not numbers, of metrics that have numbers elsewhere",
        "rows whose step is not a whole number",
        "iterations beyond what the table can hold",
    }


def test_times_with_and_without_a_zone() -> None:
    zurich = ZoneInfo("Europe/Zurich")
    records, _ = read_csv("step,time,a\n1,2026-01-31 12:00:00,1\n2,2026-01-31T12:00:00Z,1\n3,,1\n", timezone=zurich)
    assert [record.created_at and record.created_at.astimezone(UTC) for record in records] == [
        datetime(2026, 1, 31, 11, tzinfo=UTC), datetime(2026, 1, 31, 12, tzinfo=UTC), None
    ]  # fmt: skip


def test_a_column_time_of_small_numbers_is_a_metric() -> None:
    records, _ = read_csv("step,time,loss\n1,0.5,2\n2,0.75,1\n")
    assert values(records) == [(1, {"time": 0.5, "loss": 2}), (2, {"time": 0.75, "loss": 1})]


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\n", b"step\n1\n2\n", b"a,b\n1,2\n", b"step,loss\n", b"step,loss\nx,y\n", b"step,host\n1,a\n2,b\n",
        b"step 0: train loss 4.3, val loss 4.2\nstep 1: train loss 4.2, val loss 4.1\n",
        b"Step 1 | loss:1.8 lr:2e-06\nStep 2 | loss:1.7 lr:2e-06\n", b"iteration 1/ 10 | loss: 2 |\n" * 5,
        b"1,2\n3,4\n", b"step,loss\n1,2\n3\n4,5,6\n7\n",
    ],
)  # fmt: skip
def test_files_that_are_not_tables_of_metrics(head: bytes) -> None:
    assert find_csv_iteration(head, is_whole=True) is None


def test_evidence_of_a_table() -> None:
    assert find_csv_iteration(b"epoch,step,loss\n0,1,2\n0,2,1\n", is_whole=True) == "step"
    assert find_csv_iteration(b"epoch,step,loss\n0,1,2\n0,2,1\n0,3,", is_whole=False) == "step"
    assert find_csv_iteration(b"epoch,loss\n0,1\n", is_whole=True) == "epoch"

"""Damaged files, an unusable directory and killed writers of a copy fail no request."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from threading import Barrier, Thread

import pytest

from lens_perf.errors import (
    ClusterSaturatedError,
    CopyDirectoryError,
    CopyNotReadyError,
    DeadlineExceededError,
    ResultTooLargeError,
)
from lens_perf.instrumentation import metrics
from lens_perf.performance.columns import columns as columns_module
from lens_perf.performance.columns import part_writer, row_blocks
from lens_perf.performance.columns.columns import Columns
from lens_perf.performance.columns.manifest import FORMAT, CopyKey
from lens_perf.performance.columns.part_files import MARK, PartFile
from lens_perf.performance.columns.part_index import PartIndex
from lens_perf.performance.columns.workload_copy import WorkloadCopy
from lens_perf.settings import ColumnSettings
from tests.faults import closed, no_new_threads
from tests.performance.columns.fake_source import FakeSnapshot, FakeSource, Record, expect_records
from tests.performance.columns.reading import measure_space, read_blocks

KEY = CopyKey("alpha", "w", "a database")
ROOT = Path(__file__).parents[3]
# ``make chaos`` takes 2,000.
WORKLOADS = int(os.environ.get("LENS_TEST_WORKLOADS", "40"))
RECORDS = [
    Record(number, number * 1_000_000, number, 0, "log", {"loss": f"{number / 7:.6f}", "lr": "0.10", "n": str(number)})
    for number in range(1, 401)
]


def make_source() -> FakeSource:
    source = FakeSource()
    source.change(RECORDS)
    return source


def open_columns(directory: Path, **settings: object) -> Columns:
    return Columns(ColumnSettings(directory=str(directory), **settings))  # type: ignore[arg-type]


def answer(columns: Columns, source: FakeSource, key: CopyKey = KEY) -> None:
    read = columns.answer(key, source, time.monotonic() + 30, read_blocks)
    assert read == expect_records(source)


def files(directory: Path, suffix: str) -> list[Path]:
    return sorted(directory.glob(f"*/*{suffix}"))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 16
    path.write_bytes(content)


def date_back(path: Path) -> None:
    """Turn it into a file of an older format."""
    content = path.read_bytes()
    path.write_bytes(content.replace(FORMAT.encode(), b"0 polars", 1).replace(MARK, b"LENSPRT0"))


DAMAGES = {
    "of another layout": date_back,
    "truncated": truncate,
    "empty": empty,
    "removed": Path.unlink,
    **{f"flipped at {place}": lambda path, place=place: flip(path, place) for place in (0.0, 0.3, 0.6, 0.9, 0.999)},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("suffix", [".part", "manifest"])
@pytest.mark.parametrize("same_process", [True, False])
def test_damage_is_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object, suffix: str, same_process: bool
) -> None:
    source = make_source()
    columns = open_columns(tmp_path)
    answer(columns, source)
    (path,) = files(tmp_path, suffix)
    damage(path)  # type: ignore[operator]
    columns = columns if same_process else open_columns(tmp_path)
    for _ in range(2):
        columns.has(KEY)
        answer(columns, source)
        assert source.heavy == 2
    # A removed manifest is like that of a copy that was dropped.
    warnings = 0 if (suffix, damage) == ("manifest", Path.unlink) else 1
    assert [caplog.text.count(words) for words in ("rebuilt", "WARNING")] == [warnings, warnings]


def test_an_unreadable_manifest_is_reported_once_it_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by a build that fails, nor by other processes that find it at the same time."""
    source = make_source()
    answer(open_columns(tmp_path), source)
    date_back(files(tmp_path, "manifest")[0])
    source.on_row = fail_row
    for _ in range(2):
        with pytest.raises(DeadlineExceededError):
            answer(open_columns(tmp_path), source)
    assert "rebuilt" not in caplog.text
    source.on_row = lambda: None
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: answer(open_columns(tmp_path), source), range(4)))
    expected = "The copy of workload w of cluster alpha was damaged or of another version and has been rebuilt"
    assert [record.getMessage() for record in caplog.records] == [expected]


@pytest.mark.parametrize("has_copy", [False, True])
def test_a_thread_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_copy: bool) -> None:
    """After one failed start, later requests must not wait for a build that never started."""
    source = make_source()
    columns = open_columns(tmp_path)
    if has_copy:
        answer(columns, source)
        source.change([Record(number, number, number, 0, "log", {"loss": "1"}) for number in (401, 402)])
        monkeypatch.setattr(row_blocks, "BLOCK_ROWS", 1)
    for _ in range(2):
        with no_new_threads(), pytest.raises(ClusterSaturatedError):
            columns.answer(KEY, source, time.monotonic() + 2, read_blocks)
    answer(columns, source)


def test_few_changes_need_no_thread(tmp_path: Path) -> None:
    source = make_source()
    columns = open_columns(tmp_path)
    answer(columns, source)
    source.change([Record(401, 401_000_000, 401, 0, "log", {"loss": "1"})])
    with no_new_threads():
        answer(columns, source)


def test_a_part_damaged_while_it_is_read(tmp_path: Path) -> None:
    """Also in a part that was already open: each answer reads it again."""
    source = make_source()
    columns = open_columns(tmp_path)
    calls = []

    def read(copy: WorkloadCopy) -> object:
        calls.append(copy.history)
        if len(calls) == 1:
            truncate(files(tmp_path, ".part")[0])
        return read_blocks(copy)

    assert columns.answer(KEY, source, time.monotonic() + 30, read) == expect_records(source)
    assert len(set(calls)) == 2


def test_an_index_is_read_once_and_again_after_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    original = PartFile._read_index

    def note(file: PartFile) -> PartIndex:
        reads.append(file)
        return original(file)

    monkeypatch.setattr(PartFile, "_read_index", note)
    source = make_source()
    columns = open_columns(tmp_path)
    for _ in range(3):
        answer(columns, source)
    assert len(reads) == 1
    flip(files(tmp_path, ".part")[0], 0.999)
    answer(columns, source)
    assert source.heavy == 2
    # Of the damaged file, and of the one that replaces it.
    assert len(reads) == 3


def test_a_reader_keeps_its_state(tmp_path: Path) -> None:
    source = make_source()
    columns = open_columns(tmp_path)
    with columns.open(KEY, source, time.monotonic() + 30) as copy:
        expected = expect_records(source)
        source.change([], [record.id for record in RECORDS[:300]])
        answer(columns, source)
        assert columns.drop(KEY)
        assert read_blocks(copy) == expected


def test_the_directory_is_removed_while_serving(tmp_path: Path) -> None:
    source = make_source()
    directory = tmp_path / "columns"
    columns = open_columns(directory)
    answer(columns, source)
    subprocess.run(["rm", "-r", directory], check=True)
    answer(columns, source)
    assert files(directory, ".part")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield directory
    subprocess.run(["umount", "-l", directory], check=True)


def remount(directory: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", directory], check=True)


def test_a_full_disk(small_disk: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_module, "PAUSE_SECONDS", 0.2)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 56 * 1024)
    source = make_source()
    columns = open_columns(small_disk / "columns")
    answer(columns, source)
    assert "cannot be used (No space left on device)" in caplog.text
    assert not files(small_disk / "columns", "manifest")
    source.change([RECORDS[0]._replace(id=1000)])
    answer(columns, source)
    filler.unlink()
    time.sleep(0.3)
    answer(columns, source)
    assert files(small_disk / "columns", "manifest")


def test_verifying_on_a_full_disk(small_disk: Path) -> None:
    source, columns = make_source(), open_columns(small_disk / "columns")
    answer(columns, source)
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 512):
            pass
    source.change([record._replace(id=1_000 + record.id) for record in RECORDS])
    with pytest.raises(CopyDirectoryError, match="No space left on device; free some space on its disk"):
        columns.verify(KEY, source, time.monotonic() + 30)
    (small_disk / "filler").unlink()
    verified = columns.verify(KEY, source, time.monotonic() + 30)
    assert verified is not None
    assert verified.is_good


def test_a_read_only_directory(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make_source()
    columns = open_columns(small_disk / "columns")
    answer(columns, source)
    remount(small_disk, "ro")
    answer(columns, source)
    assert source.heavy == 1
    source.change([RECORDS[0]._replace(id=1000)])
    answer(columns, source)
    assert caplog.text.count("cannot be used (Read-only file system)") == 1
    source.change([RECORDS[0]._replace(id=1001)])
    answer(columns, source)
    assert source.heavy == 2


def test_a_directory_of_another_user_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / "columns"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    answer(open_columns(directory), make_source())
    assert "cannot be used" in caplog.text
    assert not list(directory.iterdir())


def test_a_directory_out_of_reach(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Below a directory that the user may not enter. Afterwards, the directory of copies is used again."""
    outer, source = tmp_path / "outer", make_source()
    outer.mkdir()
    columns = open_columns(outer / "columns")
    with closed(outer):
        assert not columns.has(KEY)
        answer(columns, source)
        assert caplog.text.count("cannot be used (Permission denied)") == 1
        source.change([RECORDS[0]._replace(id=1000)])
        answer(columns, source)
    assert source.heavy == 1
    columns = open_columns(outer / "columns")
    answer(columns, source)
    assert files(outer / "columns", ".part")


def test_a_directory_below_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    answer(open_columns(tmp_path / "file" / "columns"), make_source())
    assert "cannot be used (Not a directory)" in caplog.text


def test_damage_that_cannot_be_removed(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged copy on a read-only disk is not used."""
    source, directory = make_source(), small_disk / "columns"
    columns = open_columns(directory)
    answer(columns, source)
    truncate(files(directory, ".part")[0])
    remount(small_disk, "ro")
    answer(columns, source)
    assert "cannot be used (Read-only file system)" in caplog.text
    assert source.heavy == 2


def test_without_a_directory(tmp_path: Path) -> None:
    columns = open_columns(tmp_path / "columns", enabled=False)
    source = make_source()
    answer(columns, source)
    source.change([RECORDS[0]._replace(id=1000)], [5])
    answer(columns, source)
    assert source.heavy == 1
    assert not (tmp_path / "columns").exists()


class WatchedSource(FakeSource):
    """Records whether all records were ever read by two builds at once."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = 0
        self.most_reading = 0

    @contextmanager
    def open_snapshot(self, deadline: float, *, heavy: bool) -> Iterator[FakeSnapshot]:
        self.reading += heavy
        self.most_reading = max(self.most_reading, self.reading)
        try:
            with super().open_snapshot(deadline, heavy=heavy) as snapshot:
                yield snapshot
        finally:
            self.reading -= heavy


def test_the_limit_is_kept(tmp_path: Path) -> None:
    """A tenth of the workloads fits: the most recently used ones remain, and no copy is built twice at once."""
    source = make_source()
    answer(open_columns(tmp_path / "one"), source)
    size = measure(tmp_path / "one")
    limit = WORKLOADS / 10 + 0.5
    # Like two processes with two threads each.
    two = [open_columns(tmp_path / "many", max_gib=limit * size / 2**30) for _ in range(2)]
    sources = {CopyKey("alpha", f"w{number}", "a database"): WatchedSource() for number in range(WORKLOADS)}
    for each in sources.values():
        each.change(RECORDS)
    totals = []

    def ask(columns: Columns, offset: int) -> None:
        for number in range(WORKLOADS):
            key = CopyKey("alpha", f"w{(number + offset) % WORKLOADS}", "a database")
            answer(columns, sources[key], key)
            if number % (WORKLOADS // 40) == 0:
                totals.append(measure(tmp_path / "many"))

    # Two threads use the same workloads at the same time, the other two use others.
    with ThreadPoolExecutor(4) as pool:
        offsets = (0, 0, WORKLOADS // 2, 0)
        for asked in [pool.submit(ask, two[turn % 2], offset) for turn, offset in enumerate(offsets)]:
            asked.result()
    # Each of the four threads may exceed the limit by the copy that it writes.
    assert max(totals) <= (limit + 4) * size
    assert {each.most_reading for each in sources.values()} == {1}
    for number in range(8):
        key = CopyKey("alpha", f"w{number}", "a database")
        answer(two[0], sources[key], key)
    kept = {info.manifest.key.workload_uid for info in two[0].list() if info.manifest}
    assert {f"w{number}" for number in range(5, 8)} <= kept


def measure(directory: Path) -> int:
    """The bytes that all copies under ``directory`` take up; some of them may be removed meanwhile."""
    total = 0
    for path, _, names in os.walk(directory):
        total += 4096 if names else 0
        for name in names:
            with suppress(FileNotFoundError):
                total += measure_space(Path(path) / name) if name != "used" else 0
    return total


def test_a_new_process_reports_the_size_of_the_copies(tmp_path: Path) -> None:
    source = make_source()
    answer(open_columns(tmp_path), source)
    metrics.set_copy_bytes(0)
    answer(open_columns(tmp_path), source)
    assert f"lens_perf_copy_bytes {float(measure(tmp_path))}" in metrics.expose().decode().splitlines()


def test_a_copy_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    columns = open_columns(tmp_path, max_gib=2**-20)
    with pytest.raises(ResultTooLargeError, match=r"columns\.max_gib"):
        answer(columns, make_source())
    assert not files(tmp_path, ".part")
    assert [copy.size for copy in columns.list()] == [0]


def test_threads_build_once(tmp_path: Path) -> None:
    source = make_source()
    columns = open_columns(tmp_path)
    threads = [
        Thread(target=answer, args=(columns if number % 2 else open_columns(tmp_path), source)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({path.parent for path in files(tmp_path, ".part")}) == 1
    assert columns.has(KEY)
    answer(columns, source)


def test_a_build_is_waited_for_and_reported(tmp_path: Path) -> None:
    source = make_source()
    source.on_row = lambda: time.sleep(0.002)
    columns = open_columns(tmp_path)
    with (
        pytest.raises(CopyNotReadyError, match="for the first time"),
        columns.open(KEY, source, time.monotonic() + 0.05),
    ):
        pass
    answer(columns, source)
    assert source.heavy == 1


def test_a_build_has_a_deadline(tmp_path: Path) -> None:
    source = make_source()

    def wait() -> None:
        time.sleep(0.01)

    source.on_row = wait
    columns = open_columns(tmp_path, build_seconds=1.0)
    for _ in range(2):
        with (
            pytest.raises(DeadlineExceededError, match="build_seconds"),
            columns.open(KEY, source, time.monotonic() + 30),
        ):
            pass
    assert source.heavy == 1
    assert not files(tmp_path, "manifest")


def test_a_refresh_has_the_deadline_of_its_request(tmp_path: Path) -> None:
    source, columns = make_source(), open_columns(tmp_path)
    answer(columns, source)
    source.change([RECORDS[0]._replace(id=1000)])
    deadline = time.monotonic() + 0.2
    source.on_row = lambda: time.sleep(max(0.0, deadline - time.monotonic()))
    with pytest.raises(DeadlineExceededError, match=r"limits\.deadline_seconds"), columns.open(KEY, source, deadline):
        pass
    answer(columns, source)


def fail_row() -> None:
    raise DeadlineExceededError("the cluster is away")


def test_a_failing_cluster_fails_the_request(tmp_path: Path) -> None:
    source = make_source()
    source.on_row = fail_row
    columns = open_columns(tmp_path)
    with pytest.raises(DeadlineExceededError, match="away"), columns.open(KEY, source, time.monotonic() + 30):
        pass
    source.on_row = lambda: None
    answer(open_columns(tmp_path), source)


FOLLOWER = """
import sys, time
from pathlib import Path
from tests.performance.columns.test_faults import KEY, answer, change_step, make_source, open_columns
columns, source = open_columns(Path(sys.argv[1])), make_source()
print("ready", flush=True)
for line in sys.stdin:
    change_step(source, int(line))
    answer(columns, source)
    print(source.builds, flush=True)
"""
STEPS = 25


def change_step(source: FakeSource, step: int) -> None:
    """Make the same changes in each process: correct, add and remove some records."""
    corrected = [record._replace(members={"loss": str(step)}) for record in RECORDS[step % 7 :: 40]]
    added = [RECORDS[0]._replace(id=1_000 + step, created_us=(400 + step) * 1_000_000)]
    source.change([*corrected, *added] if step else [], [2 * step] if step else [])


def test_two_processes_refresh_at_once(tmp_path: Path) -> None:
    """Both have the right content after each change, and only one of them has built the copy."""
    followers = [
        subprocess.Popen([sys.executable, "-c", FOLLOWER, tmp_path], cwd=ROOT, text=True, stdin=PIPE, stdout=PIPE)
        for _ in range(2)
    ]
    with followers[0] as one, followers[1] as other:
        try:
            assert [read_line(each) for each in (one, other)] == ["ready", "ready"]
            builds = []
            for step in range(STEPS):
                for each in (one, other):
                    assert each.stdin is not None
                    each.stdin.write(f"{step}\n")
                    each.stdin.flush()
                builds = [int(read_line(each)) for each in (one, other)]
        finally:
            for each in (one, other):
                each.kill()
    assert sum(builds) == 1
    source = make_source()
    for step in range(STEPS):
        change_step(source, step)
    answer(open_columns(tmp_path), source)
    assert source.builds == 0


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


CHILD = """
import sys, time
from pathlib import Path
from tests.performance.columns.test_faults import KEY, RECORDS, make_source, open_columns, read_blocks
columns = open_columns(Path(sys.argv[1]))
source = make_source()
print("ready", flush=True)
for number in range(1000):
    changed = [record._replace(members={"loss": str(number)}) for record in RECORDS[number % 7 :: 40]]
    source.change(changed, [number % 400])
    columns.answer(KEY, source, time.monotonic() + 30, read_blocks)
    if number % 10 == 9:
        columns.drop(KEY)
"""


def kill_at(directory: Path, seconds: float) -> None:
    """Let a process write to the copies in ``directory`` for ``seconds`` and kill it."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, directory], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    with child, child.stdout:
        assert child.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("number", range(int(os.environ.get("LENS_TEST_KILLS", "20"))))
def test_killed_at_any_moment(tmp_path_factory: pytest.TempPathFactory, number: int) -> None:
    directory = tmp_path_factory.getbasetemp() / "killed"
    kill_at(directory, 0.002 + 0.013 * (number % 20))
    source = make_source()
    # The copy has a state of the child's source, which this one continues or replaces.
    source.history = f"after {number}"
    answer(open_columns(directory), source)


KILLED_BUILD = """
import os, signal, sys, time
from pathlib import Path
from lens_perf.performance.columns import part_writer, row_blocks
from tests.performance.columns.test_faults import KEY, files, make_source, open_columns, read_blocks
row_blocks.BLOCK_ROWS, part_writer.MOST_RECORDS = 8, 32
directory, source = Path(sys.argv[1]), make_source()
source.on_row = lambda: len(files(directory, ".part")) < 3 or os.kill(os.getpid(), signal.SIGKILL)
open_columns(directory).answer(KEY, source, time.monotonic() + 30, read_blocks)
"""


def test_a_build_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    """Also if it fails itself, so that builds that are killed again and again do not fill the disk."""
    killed = subprocess.run([sys.executable, "-c", KILLED_BUILD, tmp_path], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(files(tmp_path, ".part")) == 3
    source = make_source()
    source.on_row = fail_row
    columns = open_columns(tmp_path)
    with pytest.raises(DeadlineExceededError), columns.open(KEY, source, time.monotonic() + 30):
        pass
    assert files(tmp_path, ".part") == []
    assert [copy.size for copy in columns.list()] == [0]


def make_late_source() -> FakeSource:
    """Some records are stored after all others. A build writes the parts again to which they belong."""
    source = FakeSource()
    source.change([each._replace(id=each.id + 1_000 * (each.id % 64 == 5)) for each in RECORDS])
    return source


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_private_copies_built_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is space for one of them only, the other is refused for now, and nothing of it is left."""
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", 8)
    monkeypatch.setattr(part_writer, "MOST_RECORDS", 32)
    columns = open_columns(tmp_path, enabled=False)
    answer(columns, make_late_source())
    size = columns._private.get(KEY).size
    monkeypatch.setattr(columns._private, "_limit", 1.5 * size)
    columns.drop(KEY)
    before = count_descriptors()
    together = Barrier(2, timeout=10)
    sources = [make_late_source(), make_late_source()]
    for source in sources:
        rows = itertools.count()
        source.on_row = lambda rows=rows: next(rows) or (together.wait() and None)  # type: ignore[misc]

    def build(number: int) -> str:
        try:
            answer(columns, sources[number], CopyKey("alpha", f"w{number}", "a database"))
        except ClusterSaturatedError:
            return "refused"
        return "answered"

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(build, range(2)))
    assert set(results) <= {"answered", "refused"}
    assert "answered" in results
    for source in sources:
        source.on_row = lambda: None
    assert [build(0), build(1)] == ["answered", "answered"]
    for number in range(2):
        columns.drop(CopyKey("alpha", f"w{number}", "a database"))
    assert count_descriptors() == before

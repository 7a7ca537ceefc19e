"""The state file: saved content is loaded, invalid content is harmless, and two watchers cannot share it."""

from pathlib import Path

import pytest

from lens_perf.errors import ConfigError
from lens_perf.watch import known
from lens_perf.watch.known import Known, Memory, StateFile


def test_saved_content_is_loaded(tmp_path: Path) -> None:
    file, memory = StateFile(tmp_path / "new" / "watch.json"), Memory()
    memory.remember("alpha", "run/ü\n", Known("stalled", 5, ['["log", "loss"]'], 7, 2))
    memory.queue("json host", [{"event": "stalled"}])
    with file.hold():
        file.save(memory)
        assert file.load() == memory
    assert file.load().recall("alpha", "run/ü\n") == Known("stalled", 5, ['["log", "loss"]'], 7, 2)


WITHOUT_WORKLOADS = '{"version": 1}'
NOT_A_WORKLOAD = '{"version": 1, "workloads": {"a": 5}, "pending": {}}'


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"version": 0}', WITHOUT_WORKLOADS, NOT_A_WORKLOAD])
def test_unreadable_content_is_ignored(tmp_path: Path, content: str) -> None:
    path = tmp_path / "watch.json"
    assert StateFile(path).load() == Memory()
    path.write_text(content, "utf-8")
    assert StateFile(path).load() == Memory()


def test_one_at_a_time(tmp_path: Path) -> None:
    one, other = StateFile(tmp_path / "watch.json"), StateFile(tmp_path / "watch.json")
    with one.hold(), pytest.raises(ConfigError, match="Another lens-perf watch uses"), other.hold():
        pass
    with other.hold():
        pass


def test_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ConfigError, match="cannot be written"), StateFile(tmp_path / "file" / "watch.json").hold():
        pass
    with pytest.raises(ConfigError, match="cannot be written"):
        StateFile(tmp_path / "no" / "watch.json").save(Memory())


def test_the_state_file_remains_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST_WORKLOADS", 3)
    monkeypatch.setattr(known, "MOST_EVENTS", 2)
    memory = Memory()
    for number in (1, 2, 3, 1, 4):
        memory.remember("alpha", str(number), Known())
        memory.queue("hook", [{"number": number}])
    assert [memory.recall("alpha", str(number)) is None for number in (1, 2, 3, 4)] == [False, True, False, False]
    assert memory.pending == {"hook": [{"number": 1}, {"number": 4}]}

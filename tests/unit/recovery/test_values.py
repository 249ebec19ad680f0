"""Values that JSON lacks, kept by a serializer of a pack: the next process sees the very same."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from killing.processes import in_child
from killing.told import Does, flow, interrupted

from handrail import StepFailedError, StepResult, resume, rollback
from handrail.builtin.records.run_record import record_of
from handrail.errors import JournalDamagedError, PackError
from handrail.events import MessageLogged
from handrail.journal import OwnedRun
from handrail.packs.provider import ExplicitPacks
from handrail.redact import Mask
from handrail.serializers import Found
from handrail.sqlite import SqliteJournal


@dataclass
class Frame:
    """A value of a type of its own."""

    rows: int = 3


class Frames:
    """Keeps frames, and counts what it is asked for."""

    media_type = "text/plain"
    suffix = ".txt"

    def __init__(self) -> None:
        self.loads = 0
        self.fails: BaseException | None = None

    def dump(self, value: Any, file: BinaryIO) -> None:
        file.write(str(value.rows).encode())
        if self.fails is not None:
            raise self.fails

    def load(self, file: BinaryIO) -> Any:
        self.loads += 1
        return Frame(int(file.read()))

    def describe(self, value: Any) -> str:
        return f"frame of {value.rows}"


class Packs(ExplicitPacks):
    """Packs that keep frames."""

    def __init__(self, frames: Frames | None) -> None:
        super().__init__([], {})
        self.frames = frames

    @property
    def serializers(self) -> Any:
        return self

    def for_type(self, kind: type) -> Found | None:
        known = issubclass(kind, Frame) and self.frames is not None
        return Found(type="Frame", pack="acme", serializer=self.frames) if known else None

    def hint(self, kind: type) -> str:
        return "pip install acme"

    def named(self, type: str, pack: str) -> Found:  # noqa: A002
        if self.frames is None:
            raise PackError("acme is not here")
        return Found(type=type, pack=pack, serializer=self.frames)


@pytest.fixture
def frames() -> Frames:
    return Frames()


def returns(**data: Any) -> Does:
    return Does("a", lambda context: StepResult(data=data))


def run(journal: Any, frames: Frames | None, *steps: Any, **more: Any) -> Any:
    return flow(*steps)({}, packs=Packs(frames)).run(journal=journal, **more)


def kept(writes: Any, frames: Frames, *steps: Any, monkeypatch: Any) -> None:
    """Leave an interrupted run of these steps."""
    monkeypatch.setattr("killing.told.flow_run", lambda journal, *all: run(journal, frames, *all))
    interrupted(writes, *steps)


@pytest.fixture
def left(writes, frames, monkeypatch):
    """Leaves an interrupted run of a step that returned this data."""
    return lambda **data: kept(writes, frames, returns(**data), monkeypatch=monkeypatch)


@pytest.fixture
def seen(writes, frames):
    """What a step makes of the data in a resumed run."""

    def see(work: Any = dict, packs: Any = frames) -> Any:
        found: list[Any] = []
        last = Does("lost", lambda context: found.append(work(context.results["a"].data)))
        resume(flow(returns(), last), 1, journal=writes, packs=Packs(packs))
        return found[0]

    return see


def value_file(writes: Any) -> Path:
    [found] = (Path(writes.address).parent / "values" / "1").iterdir()
    return found


def test_the_next_process_sees_the_same(left, seen):
    data = {"df": Frame(5), "ok": 1, "parts": {"x": [Frame(1), 2, {"y": Frame(2)}]}, "n": None}
    left(**data)
    assert seen() == data


def test_in_the_same_process_it_is_the_same_object(writes, frames):
    made, got = Frame(), list[Any]()
    last = Does("b", lambda context: got.append(context.results["a"].data["df"]))
    run(writes, frames, returns(df=made), last)
    assert got[0] is made
    assert frames.loads == 0


def test_a_value_is_loaded_once_and_only_where_it_is_looked_at(left, seen, frames, writes):
    """Neither by a look at the record, nor by one at the other values, nor by printing them."""
    left(df=Frame(5), more=Frame(1), ok=1)
    record_of(writes, 1)

    def look(data: Any) -> tuple[Any, ...]:
        assert (data["ok"], "df" in data, len(data), list(data)) == (1, True, 3, [*data.keys()])
        assert repr(data) == "{'df': <frame of 5>, 'more': <frame of 1>, 'ok': 1}"
        assert frames.loads == 0
        return data["df"], data.get("df"), frames.loads

    first, second, loads = seen(look)
    assert first is second
    assert loads == 1


def as_arguments(**found: Any) -> dict[str, Any]:
    return found


@pytest.mark.parametrize(
    "use",
    [
        dict,
        lambda data: {**data},
        lambda data: data | {},
        lambda data: {} | data,
        lambda data: data.copy(),
        lambda data: dict(data.items()),
        lambda data: dict(zip(data, data.values(), strict=True)),
        lambda data: {key: data.pop(key) for key in list(data)},
        lambda data: dict(data.popitem() for _ in range(2)),
        lambda data: {key: data.setdefault(key, 0) for key in data},
        copy.deepcopy,
        lambda data: pickle.loads(pickle.dumps(data)),
        lambda data: as_arguments(**data),
        lambda data: {"df": Frame(5), "ok": 1} if data == {"df": Frame(5), "ok": 1} else {},
    ],
)
def test_the_data_of_a_result_is_a_dict_in_every_way(left, seen, use):
    left(df=Frame(5), ok=1)
    assert seen(use) == {"df": Frame(5), "ok": 1}


def test_the_data_of_a_result_can_be_changed(left, seen):
    def change(data: Any) -> Any:
        data["df"] = 1
        data.update(ok=2)
        data |= {"more": 3}
        del data["more"]
        before = dict(data)
        data.clear()
        return before, data

    left(df=Frame(5), ok=1)
    assert seen(change) == ({"df": 1, "ok": 2}, {})


def test_a_value_that_its_serializer_refuses_is_told(writes, frames):
    told: list[str] = []
    frames.fails = TypeError("frames of 3 are odd")

    def observe(event: Any) -> None:
        if isinstance(event, MessageLogged):
            told.append(event.data["summary"])

    run(writes, frames, returns(df=Frame()), observers=[observe])
    assert told == [
        f"'df' of step 'a' is {Frame.__module__}.Frame, which cannot be stored: frames of 3 are odd"
        "; from here on the run can be undone, but not resumed"
    ]
    assert not list((Path(writes.address).parent / "values" / "1").iterdir())


def test_no_secret_is_in_the_name_of_a_file(writes, frames, monkeypatch):
    from handrail.orchestrator.journaled import RunAbout

    monkeypatch.setattr(RunAbout, "mask", property(lambda about: Mask(["hunter2"])))
    monkeypatch.setattr(frames, "describe", lambda value: "frame hunter2")
    run(writes, frames, returns(hunter2=Frame()))
    assert value_file(writes).name == "a.txt"
    assert "hunter2" not in repr(writes.read(1))


def test_no_room_for_a_value_fails_its_step(writes, frames):
    frames.fails = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    step = returns(df=Frame())
    with pytest.raises(StepFailedError, match=r"'df' of step 'a' cannot be written: .*No space"):
        run(writes, frames, step)
    assert step.undone == [{}]
    assert writes.runs()[0].outcome == "rolled_back"


def test_an_interrupt_while_a_value_is_written_undoes_the_step(writes, frames):
    frames.fails = KeyboardInterrupt()
    step = returns(df=Frame())
    with pytest.raises(KeyboardInterrupt):
        run(writes, frames, step)
    assert step.undone == [{}]


def test_a_journal_that_keeps_no_values_tells_so(writes, frames):
    opened = writes.open_run

    def open_run(*args: Any) -> Any:
        owned = opened(*args)
        owned.store_value = partial(OwnedRun.store_value, owned)
        return owned

    writes.open_run = open_run
    with pytest.raises(StepFailedError, match="cannot be stored: this kind of journal stores only"):
        run(writes, frames, returns(df=Frame()), strict_results=True)


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"6")])
def test_a_missing_or_changed_file_stops_a_resume_before_anything(left, seen, writes, frames, harm):
    """The run and the file are named; nothing is claimed, run or undone, and nothing is loaded."""
    left(df=Frame(5))
    harm(value_file(writes))
    before = writes.read(1)
    with pytest.raises(JournalDamagedError, match=r"the value a-df\.txt") as caught:
        seen()
    assert (caught.value.run, caught.value.exit_code) == (1, 7)
    assert writes.read(1) == before
    assert frames.loads == 0


def test_a_missing_file_stops_no_rollback(left, writes, frames):
    left(df=Frame(5))
    value_file(writes).unlink()
    step = returns()
    rollback(flow(step, Does("lost")), 1, journal=writes, packs=Packs(frames))
    assert step.undone == [{}]


def test_a_pack_that_is_gone_stops_a_resume_before_anything(left, seen, writes):
    left(df=Frame(5))
    before = writes.read(1)
    with pytest.raises(PackError, match="acme is not here"):
        seen(packs=None)
    assert writes.read(1) == before


@pytest.mark.parametrize("at", ["in the file", "before the commit"])
def test_a_kill_around_the_file_loses_nothing_and_leaves_nothing(tmp_path, frames, at):
    """The step runs again; what the killed process left goes with the run."""

    def die(*args: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def body() -> None:
        journal = SqliteJournal(tmp_path / ".handrail" / "runs.db")
        if at == "in the file":
            frames.describe = frames.load = die  # type: ignore[method-assign]
        else:
            opened = journal.open_run

            def open_run(*args: Any) -> Any:
                owned = opened(*args)
                owned.write = die
                return owned

            journal.open_run = open_run  # type: ignore[method-assign]
        run(journal, frames, returns(df=Frame(5)), Does("lost"))

    assert in_child(body) == -signal.SIGKILL
    with_left = sorted((tmp_path / ".handrail" / "values" / "1").iterdir())
    assert [path.name for path in with_left] == ["a-df.txt"]
    from datetime import timedelta

    journal = SqliteJournal(tmp_path / ".handrail" / "runs.db")
    got: list[Any] = []
    last = Does("lost", lambda context: got.append(context.results["a"].data["df"]))
    resume(flow(returns(df=Frame(7)), last), 1, journal=journal, packs=Packs(frames))
    assert got == [Frame(7)]
    assert journal.prune(timedelta(days=-1)) == [1]
    assert list((tmp_path / ".handrail" / "values").iterdir()) == []
    journal.close()

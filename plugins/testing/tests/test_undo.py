"""check_undo finds every way in which a step leaves something behind."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import BaseStep, BaseStepContext, RuntimeContext, StepResult, StepWrapper, step
from handrail_testing import NotUndoneError, check_undo, folder

WORLD: dict[str, str] = {}


@pytest.fixture(autouse=True)
def empty_world():
    WORLD.clear()
    WORLD["theirs"] = "kept"


@dataclass(kw_only=True)
class Context(BaseStepContext):
    names: list[str] = field(default_factory=lambda: ["a", "b", "c"])


def context() -> Context:
    return Context(runtime_ctx=RuntimeContext())


def world() -> dict[str, str]:
    return dict(WORLD)


class Make(BaseStep[Context]):
    """Records each name, then makes it."""

    name = "make"
    progress_weight = 1.0

    def execute(self, context):
        for name in context.names:
            context.record_rollback("made", name)
            WORLD[name] = "mine"
        return StepResult()

    def rollback(self, context, result):
        for name in result.rollback_data.get("made", []):
            WORLD.pop(name, None)


def test_a_good_step_passes_and_its_records_are_counted() -> None:
    assert check_undo(Make(), context, world) == 3
    assert world() == {"theirs": "kept"}


def test_a_class_or_factory_does_as_well_as_a_step() -> None:
    class Once(Make):
        """Keeps what it did on itself, which the step of another process does not know."""

        def execute(self, context):
            self.done = list(context.names)
            return super().execute(context)

        def rollback(self, context, result):
            for name in self.done:
                WORLD.pop(name, None)

    assert check_undo(Make, context, world) == 3
    assert check_undo(Once(), context, world) == 3
    with pytest.raises(NotUndoneError, match="done"):
        check_undo(Once, context, world)


def test_recording_after_the_effect_is_found() -> None:
    class Late(Make):
        def execute(self, context):
            for name in context.names:
                WORLD[name] = "mine"
                context.record_rollback("made", name)
            return StepResult()

    with pytest.raises(NotUndoneError) as caught:
        check_undo(Late(), context, world)
    assert caught.value.moment == "before record 1 of 3 ('made': 'a')"
    assert caught.value.times == 1
    assert caught.value.differences == ("added    a  mine",)
    assert "record first" in str(caught.value)


def test_an_undo_that_needs_the_thing_to_be_there_is_found() -> None:
    class Strict(Make):
        def rollback(self, context, result):
            for name in result.rollback_data.get("made", []):
                del WORLD[name]

    with pytest.raises(NotUndoneError, match="its rollback raised KeyError") as caught:
        check_undo(Strict(), context, world)
    assert caught.value.times == 2  # At the end all are there, but only once.
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_undo_of_what_was_recorded_and_never_made_is_checked() -> None:
    class Shrinking(Make):
        """Bears a second undo, but not a record without its thing."""

        def rollback(self, context, result):
            made = result.rollback_data.get("made", [])
            if any(name in WORLD for name in made):
                for name in made:
                    del WORLD[name]

    with pytest.raises(NotUndoneError) as caught:
        check_undo(Shrinking(), context, world)
    assert caught.value.moment == "before record 2 of 3 ('made': 'b')" or (
        caught.value.moment == "right after record 2 of 3 ('made': 'b')"
    )


def test_an_undo_that_takes_too_much_is_found() -> None:
    class Greedy(Make):
        def rollback(self, context, result):
            WORLD.clear()

    with pytest.raises(NotUndoneError) as caught:
        check_undo(Greedy(), context, world)
    assert caught.value.moment == "at its end"
    assert caught.value.differences == ("gone     theirs  kept",)


def test_an_undo_that_undoes_too_much_the_second_time_is_found() -> None:
    class Counting(BaseStep[Context]):
        name = "count"
        progress_weight = 1.0

        def execute(self, context):
            WORLD["count"] = str(int(WORLD.get("count", "7")) + 1)
            return StepResult(rollback_data={"by": 1})

        def rollback(self, context, result):
            WORLD["count"] = str(int(WORLD["count"]) - result.rollback_data["by"])

    WORLD["count"] = "7"
    with pytest.raises(NotUndoneError, match="rolled back     twice") as caught:
        check_undo(Counting(), context, world)
    assert caught.value.differences == ("changed  count  7 -> 6",)


def test_a_step_that_returns_its_rollback_data_is_checked_at_its_end() -> None:
    class Returns(BaseStep[Context]):
        name = "returns"
        progress_weight = 1.0

        def execute(self, context):
            WORLD["x"] = "mine"
            return StepResult(rollback_data={"made": ["x"]})

        def rollback(self, context, result):
            for name in result.rollback_data["made"]:
                WORLD.pop(name, None)

    assert check_undo(Returns(), context, world) == 0


def test_a_step_that_neither_records_nor_undoes_has_to_leave_the_world_alone() -> None:
    @step
    def look(context):
        return {"names": list(WORLD)}

    @step
    def change(context):
        WORLD["x"] = "mine"

    assert check_undo(look, context, world) == 0
    with pytest.raises(NotUndoneError, match="added    x"):
        check_undo(change, context, world)


def test_each_value_of_record_rollback_many_counts_also_from_a_generator() -> None:
    class Many(Make):
        def execute(self, context):
            context.record_rollback_many("made", (name for name in context.names))
            WORLD.update(dict.fromkeys(context.names, "mine"))
            return StepResult()

    assert check_undo(Many(), context, world) == 3


def test_async_steps_are_checked() -> None:
    class Late(Make):
        async def execute(self, context):
            for name in context.names:
                await context.arecord_rollback("made", name)
                WORLD[name] = "mine"
            return StepResult()

        async def rollback(self, context, result):
            super().rollback(context, result)

    class Bad(Late):
        async def rollback(self, context, result):
            return None

    assert check_undo(Late(), context, world) == 3
    with pytest.raises(NotUndoneError):
        check_undo(Bad(), context, world)


def test_a_step_that_records_from_threads_is_checked() -> None:
    class Threads(Make):
        def execute(self, context):
            record = context.record_rollback

            def make(name):
                record("made", name)
                WORLD[name] = "mine"

            with ThreadPoolExecutor(2) as pool:
                list(pool.map(make, context.names))
            return StepResult()

    assert check_undo(Threads(), context, world) == 3


def test_wrappers_are_looked_through() -> None:
    class Layer(StepWrapper):
        pass

    assert check_undo(Layer(Make()), context, world) == 3


def test_rollback_data_comes_back_as_json_would_bring_it() -> None:
    class Tuples(Make):
        def execute(self, context):
            context.record_rollback("made", ("a", 1))
            WORLD["a"] = "mine"
            return StepResult()

        def rollback(self, context, result):
            for made in result.rollback_data["made"]:
                assert isinstance(made, tuple)
                WORLD.pop(made[0], None)

    with pytest.raises(NotUndoneError, match="AssertionError"):
        check_undo(Tuples(), context, world)


def test_an_undo_that_needs_a_record_is_found() -> None:
    class Needs(Make):
        def rollback(self, context, result):
            for name in result.rollback_data["made"]:
                WORLD.pop(name, None)

    with pytest.raises(NotUndoneError, match="nothing was recorded yet"):
        check_undo(Needs(), context, world)


def test_rollback_data_that_is_no_json_is_found() -> None:
    class Paths(Make):
        def execute(self, context):
            context.record_rollback("made", Path("a"))
            WORLD["a"] = "mine"
            return StepResult()

    with pytest.raises(NotUndoneError, match="that is not JSON") as caught:
        check_undo(Paths(), context, world)
    assert "str(path)" in str(caught.value)


def test_an_undo_that_lives_on_the_context_of_the_attempt_is_found() -> None:
    class Remembers(Make):
        def execute(self, context):
            context.mine = context.names
            return super().execute(context)

        def rollback(self, context, result):
            for name in context.mine:
                WORLD.pop(name, None)

    with pytest.raises(NotUndoneError, match="mine"):
        check_undo(Remembers(), context, world)
    WORLD.clear()
    assert check_undo(Remembers(), context, world, new_process=False) == 3


def test_what_restore_rebuilds_is_there_for_the_undo() -> None:
    class Restores(Make):
        def restore(self, context, result):
            context.client = WORLD

        def rollback(self, context, result):
            for name in result.rollback_data.get("made", []):
                context.client.pop(name, None)

    assert check_undo(Restores(), context, world) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"can_skip": lambda self, context: True}, "was skipped"),
        ({"execute": lambda self, context: StepResult(success=False, error="no")}, "no; give a"),
        ({"always_run": True}, "always runs"),
    ],
)
def test_a_check_that_proves_nothing_is_refused(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_undo(type("Odd", (Make,), changes)(), context, world)


def test_a_world_that_shows_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="shows no difference"):
        check_undo(Make(), context, dict)


def test_a_folder_is_a_world(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old")
    see = folder(tmp_path, ignore=["*.log"])

    class Write(BaseStep[Context]):
        name = "write"
        progress_weight = 1.0

        def execute(self, context):
            context.record_rollback("old", (tmp_path / "old.txt").read_text())
            (tmp_path / "old.txt").write_text("new")
            (tmp_path / "x.log").write_text("said")
            context.record_rollback("made", "new")
            (tmp_path / "new").mkdir()
            os.symlink("old.txt", tmp_path / "new" / "link")
            return StepResult()

        def rollback(self, context, result):
            for text in result.rollback_data.get("old", []):
                (tmp_path / "old.txt").write_text(text)
            if result.rollback_data.get("made") and (tmp_path / "new").exists():
                (tmp_path / "new" / "link").unlink()
                (tmp_path / "new").rmdir()

    assert check_undo(Write(), context, see) == 2
    before = see()
    (tmp_path / "old.txt").write_text("newer")
    (tmp_path / "new").mkdir()
    os.symlink("old.txt", tmp_path / "new" / "link")
    assert before["old.txt"].startswith("file of 3 bytes")
    assert see().keys() - before.keys() == {"new", "new/link"}
    assert see()["new/link"] == "link to old.txt"
    assert see()["old.txt"] != before["old.txt"]
    assert folder(tmp_path / "gone")() == {}


def test_other_worlds_are_compared_too() -> None:
    class Forgets(Make):
        def rollback(self, context, result): ...

    for see, line in (
        (lambda: set(WORLD), "added    a"),
        (lambda: sorted(WORLD), "added    a"),
        (lambda: len(WORLD), "changed  1 -> 4"),
    ):
        empty = {"theirs": "kept"}
        WORLD.clear()
        WORLD.update(empty)
        with pytest.raises(NotUndoneError) as caught:
            check_undo(Forgets(), context, see)
        assert line in caught.value.differences


@given(
    st.lists(st.sampled_from(["record", "make"]), min_size=1, max_size=6),
)
def test_exactly_the_steps_that_record_before_they_make_pass(moves: list[str]) -> None:
    """A step passes if, at no record, more has been made than recorded, and nothing after it."""

    class Moves(BaseStep[Context]):
        name = "moves"
        progress_weight = 1.0

        def execute(self, context):
            recorded = made = 0
            for move in moves:
                if move == "record":
                    context.record_rollback("made", str(recorded))
                    recorded += 1
                else:
                    WORLD[str(made)] = "mine"
                    made += 1
            return StepResult()

        def rollback(self, context, result):
            for name in result.rollback_data.get("made", []):
                WORLD.pop(name, None)

    WORLD.clear()
    recorded = made = 0
    sound = True
    for move in moves:
        recorded += move == "record"
        made += move == "make"
        sound = sound and made <= recorded
    if made == 0:
        return  # Nothing would be seen; that is refused.
    if sound:
        assert check_undo(Moves(), context, world) == recorded
    else:
        # A thing that is recorded late is caught only where a failure can fall in between.
        late = [n for n in range(len(moves)) if _behind(moves[:n])]
        caught = any(moves[n] == "record" for n in late) or _behind(moves)
        if caught:
            with pytest.raises(NotUndoneError):
                check_undo(Moves(), context, world)


def _behind(moves: list[str]) -> bool:
    return moves.count("make") > moves.count("record")

from __future__ import annotations

from pathlib import Path

import pytest
from acme_greet import hooks
from acme_greet.action import Greet

from handrail import BaseStep, BaseStepContext, StepFailedError, StepResult, action, step


@step
def open_door(context: BaseStepContext) -> None: ...


@step(effects=False)
def find_guests(context: BaseStepContext) -> dict[str, object]:
    return {"guests": ["Ada", "Grace"]}


party = action("party", [open_door, find_guests])


class Logger:
    """Keeps what the steps log."""

    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def log(self, event: str, data: object, file: str | None = None) -> None:
        self.events.append((event, data))

    def set_progress(self, *_: object) -> None: ...

    def set_metrics(self, *_: object) -> None: ...


def test_the_greeting_is_returned_and_written(tmp_path: Path) -> None:
    file = tmp_path / "hello.txt"
    result = Greet({"name": "Ada", "file": file}, packs=()).run()
    assert result["greeting"] == "Hello, Ada!"
    assert file.read_text() == "Hello, Ada!\n"


def test_without_a_file_writing_is_skipped() -> None:
    result = Greet({"name": "Ada"}, packs=()).run()
    assert (result["steps_executed"], result["steps_total"]) == (1, 2)


def test_a_file_that_was_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "hello.txt"
    file.write_text("mine")
    with pytest.raises(StepFailedError, match="write_greeting"):
        Greet({"name": "Ada", "file": file}, packs=()).run()
    assert file.read_text() == "mine"


def test_a_written_file_is_removed_when_a_later_step_fails(tmp_path: Path) -> None:
    class Trip(BaseStep):
        name = "trip"
        progress_weight = 0.1

        def execute(self, context: BaseStepContext) -> StepResult:
            return StepResult(success=False, error="fell over")

    class Clumsy(Greet):
        def setup_steps(self, registry):
            super().setup_steps(registry)
            registry.register(Trip())

    file = tmp_path / "hello.txt"
    with pytest.raises(StepFailedError, match="fell over"):
        Clumsy({"name": "Ada", "file": file}, packs=()).run()
    assert not file.exists()


def test_the_hooks_shape_a_workflow_of_somebody_else() -> None:
    from handrail import RuntimeContext

    logger = Logger()
    plan = party.plan(packs=[hooks])
    assert [planned.name for planned in plan] == ["open_door", "find_guests", "greet_guests"]
    party.run(ctx=RuntimeContext(logger=logger), packs=[hooks])
    assert logger.events == [
        ("knock", {"at": "open_door"}),
        ("greeting", {"text": "Hello, Ada!"}),
        ("greeting", {"text": "Hello, Grace!"}),
    ]

"""A context has the validated params as `options`, typed by their model."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel, Field, field_validator

from handrail import (
    ActionContext,
    BaseAction,
    BaseStepContext,
    RuntimeContext,
    StepFailedError,
    action,
    hookimpl,
    rollback,
    step,
)
from handrail.errors import ContextError, PlanError
from handrail.sqlite import SqliteJournal

CHECKED: list[Path] = []


class TidyParams(BaseModel):
    """Params that count how often they are validated."""

    folder: Path
    keep: int = 3
    kind: str = Field("bak", alias="type")

    @field_validator("folder")
    @classmethod
    def _count(cls, folder: Path) -> Path:
        CHECKED.append(folder)
        return folder


@dataclass
class TidyContext(ActionContext[TidyParams]):
    """What a pack brings: the plain view of the params, and fields of its own."""

    params: dict[str, Any] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)


@dataclass
class BelowContext(TidyContext):
    """What somebody derives from it."""

    keep: int = 0


class Tidy(BaseAction[TidyParams]):
    """An action with such a context; its only step reads the options twice."""

    context_class = BelowContext

    def setup_steps(self, registry: Any) -> None:
        registry.register(look)

    def result(self, context: BelowContext) -> dict[str, Any]:
        return {"options": context.options, "params": context.params, "keep": context.keep}


@step
def look(context: TidyContext) -> dict[str, Any]:
    """Read the options."""
    return {"keep": context.options.keep, "kind": context.options.kind}


@pytest.fixture(autouse=True)
def checked() -> list[Path]:
    CHECKED.clear()
    return CHECKED


def test_options_are_the_params_that_the_action_has_validated(checked: list[Path]) -> None:
    """The model itself, and nothing is validated again; beside it there is the plain view."""
    made = Tidy({"folder": "a", "type": "old"}, packs=())
    result = made.run()
    assert result["options"] is made.params
    assert result["params"] == {"folder": Path("a"), "keep": 3, "kind": "old"}
    assert result["keep"] == 3
    assert checked == [Path("a")]


def test_without_a_context_class_options_and_params_are_the_same() -> None:
    seen: list[Any] = []

    @step
    def read(context: ActionContext[TidyParams]) -> None:
        seen.append((context.params, context.options))

    flow = action("tidy", [read], params=TidyParams)({"folder": "a"}, packs=())
    flow.run()
    assert seen == [(flow.params, flow.params)]
    action("tidy", [read])({"folder": "a"}, packs=()).run()
    assert seen[1] == ({"folder": "a"}, {"folder": "a"})


class More(TidyParams):
    """Params that are derived."""

    stamp: str = ""


class Others(BaseModel):
    """Params that are not derived, and have what it takes."""

    folder: Path
    kind: str = "new"
    colour: str = "red"


@pytest.mark.parametrize(("model", "kind"), [(More, "bak"), (Others, "new")])
def test_an_action_may_have_another_model(
    model: type[BaseModel], kind: str, checked: list[Path]
) -> None:
    """Derived params are the options; of others the options are made, once."""
    made = type("Other", (Tidy,), {"params_model": model})({"folder": "a"}, packs=())
    options = made.run()["options"]
    assert (options.folder, options.kind) == (Path("a"), kind)
    assert (options is made.params) == (model is More)
    assert checked == [Path("a")]


def test_params_that_lack_something_are_named_with_the_model_to_derive_from() -> None:
    class Few(BaseModel):
        keep: str = "many"

    made = type("Other", (Tidy,), {"params_model": Few, "context_class": TidyContext})({}, packs=())
    with pytest.raises(StepFailedError) as failed:
        made.run()
    error = failed.value.__cause__
    assert isinstance(error, ContextError)
    assert error.message.startswith(
        "TidyContext cannot work with these params: folder: is required; keep: Input should be"
    )
    assert error.ways_out == (f"derive the params from {__name__}.TidyParams",)


@pytest.mark.parametrize(
    "params", [{"folder": "a", "type": "x"}, {"folder": "a", "kind": "x"}, TidyParams]
)
def test_a_context_that_is_made_by_hand_takes_params(params: Any, checked: list[Path]) -> None:
    """A test of one step needs no action: a mapping, by either name, or the model."""
    given = params(folder=Path("a"), type="x") if params is TidyParams else params
    context = TidyContext(RuntimeContext(), params=given)
    assert (context.options.folder, context.options.kind) == (Path("a"), "x")
    assert context.options is context.options
    assert checked == [Path("a")]


def test_a_context_without_params_says_how_to_make_it() -> None:
    context: ActionContext[TidyParams] = ActionContext(runtime_ctx=RuntimeContext())
    with pytest.raises(ContextError, match="this ActionContext has no params") as error:
        _ = context.options
    way = "make it with params:  ActionContext(runtime_ctx=..., params=...)"
    assert error.value.ways_out == (way,)
    with pytest.raises(ContextError, match=r"TidyContext cannot work .*: folder: is required"):
        _ = TidyContext(RuntimeContext()).options


def test_an_action_that_makes_its_context_keeps_the_params_that_it_gives() -> None:
    """With none, or with its own, they are those of the action; with others they are the others."""

    class Own(Tidy):
        given: Any = None

        def create_context(self) -> BelowContext:
            context = BelowContext(self.ctx)
            if self.given is not None:
                context = super().create_context()
                context.params |= self.given
            return context

    made = Own({"folder": "a"}, packs=())
    assert made.run()["options"] is made.params
    made.given = {"keep": 3}
    assert made.run()["options"] is made.params
    made.given = {"keep": 7}
    assert made.run()["options"].keep == 7
    assert made.params.keep == 3


P = TypeVar("P", bound=TidyParams)


@dataclass
class OpenContext(ActionContext[P]):
    """What a pack brings for params that others may derive."""

    params: dict[str, Any] = field(default_factory=dict)


@dataclass
class MoreContext(OpenContext[More]):
    """What somebody brings who has derived them."""


def test_a_context_may_leave_its_params_open(tmp_path: Path) -> None:
    """Where nothing more is said they are what they are bound to."""
    given: dict[str, Any] = {"folder": "a", "stamp": "s"}
    assert type(OpenContext(RuntimeContext(), params=given).options) is TidyParams
    assert type(OpenContext[More](RuntimeContext(), params=given).options) is More
    assert type(MoreContext(RuntimeContext(), params=given).options) is More

    class Own(Tidy):
        params_model = More

        def create_context(self) -> Any:
            return OpenContext[More](self.ctx, params=self.params.model_dump())

        def result(self, context: Any) -> dict[str, Any]:
            return {"options": context.options}

    own = Own({"folder": "a"}, packs=())
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        assert own.run(journal=journal)["options"] is own.params


def test_a_step_for_a_context_with_params_fits_where_the_context_does() -> None:
    """The check of the plan looks at the class, not at its params."""

    @step
    def typed(context: OpenContext[More]) -> None: ...

    class Inserting:
        @hookimpl
        def insert_after(self, action: Any, step: Any) -> Any:
            return typed if step.name == "look" else None

    with pytest.raises(PlanError, match="works on a OpenContext; the context of tidy is a Below"):
        Tidy({"folder": "a"}, packs=[Inserting()]).plan()
    fitting = type("Fitting", (Tidy,), {"context_class": MoreContext})
    assert len(fitting({"folder": "a"}, packs=[Inserting()]).plan().steps) == 2


def test_a_field_called_options_is_the_users() -> None:
    """In a context of one's own; nothing in core reads it."""

    @dataclass
    class Own(ActionContext[TidyParams]):
        options: dict[str, int] = field(default_factory=dict)

    @dataclass
    class Plain(BaseStepContext):
        options: int = 5

    assert Own(RuntimeContext(), options={"a": 1}).options == {"a": 1}
    assert Own(RuntimeContext()).options == {}
    assert Plain(RuntimeContext()).options == 5


def test_options_are_not_stored_and_are_there_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checked: list[Path]
) -> None:
    """A journal has the params; what goes on makes the options of them."""
    monkeypatch.chdir(tmp_path)
    seen: list[Any] = []

    class Kept(Tidy):
        action_name = "kept"

        def setup_steps(self, registry: Any) -> None:
            registry.register(note)

    @step
    def note(context: BelowContext) -> None:
        context.record_rollback("folder", str(context.options.folder))

    @note.rollback
    def unnote(context: BelowContext, result: Any) -> None:
        seen.append(context.options.folder)

    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        Kept({"folder": "a"}, packs=()).run(journal=journal)
        assert {row.name for row in journal.read(1).fields} == {"found", "keep"}
        assert rollback(Kept, 1, journal=journal, packs=())["rolled_back"]
    assert seen == [Path("a")]
    assert checked == [Path("a"), Path("a")]


FLOW = """
from pathlib import Path
from typing import Annotated
from pydantic import BaseModel, field_validator, model_validator
from handrail import ActionContext, Argument, action, step

def count(what):
    with open("counted", "a") as file:
        file.write(what + chr(10))

class Params(BaseModel):
    source: Annotated[str, Argument()]
    retries: int = 1

    @field_validator("retries")
    @classmethod
    def _field(cls, value):
        count("field")
        return value

    @model_validator(mode="after")
    def _model(self):
        count("model")
        return self

@step
def first(context: ActionContext[Params]):
    count(f"step {context.options.source} {context.options.retries!r}")

@step
def last(context: ActionContext[Params]):
    if context.options.retries == 2 and not Path("open").exists():
        raise ValueError("shut")

flow = action("flow", [first, last], params=Params)
"""


def test_validators_run_once_for_a_run_and_once_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the command line, from text to step; what the project sets is first checked alone."""
    from handrail.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("once_flow.py").write_text(FLOW)

    def counted(*words: str) -> list[str]:
        Path("counted").write_text("")
        main(list(words))
        return Path("counted").read_text().split("\n")[:-1]

    run = ("run", "once_flow.py:flow", "a", "--retries", "2", "--on-failure", "keep")
    assert counted(*run) == ["field", "model", "step a 2"]
    Path("open").touch()
    assert counted("resume", "1") == ["field", "model"]
    assert counted("rollback", "1", "--yes") == ["field", "model"]
    Path("handrail.toml").write_text("[actions.flow.params]\nretries = 2\n")
    counts = counted("run", "once_flow.py:flow", "a")
    assert counts == ["field", "field", "model", "step a 2"]
    capsys.readouterr()


def test_a_project_that_sets_a_wrong_param_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the command line gives another value."""
    from handrail.cli import main

    monkeypatch.chdir(tmp_path)
    Path("wrong_flow.py").write_text(FLOW)
    Path("handrail.toml").write_text("[actions.flow.params]\nretries = 'x'\n")
    for more in ((), ("--retries", "3")):
        code = main(["run", "wrong_flow.py:flow", "a", *more])
        told = capsys.readouterr().err
        assert code == 2, told
        assert re.search(r"handrail\.toml:2: actions\.flow\.params\.retries: ", told)

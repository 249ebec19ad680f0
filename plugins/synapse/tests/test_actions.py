"""The stand-in actions and contexts: their fields, modes and results."""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

import handrail_synapse as synapse
from handrail import BaseStep, RuntimeContext, StepRegistry, StepResult, step
from handrail_synapse import (
    BaseExportAction,
    BaseTrainAction,
    BaseUploadAction,
    ExportContext,
    TrainContext,
    UploadContext,
)
from handrail_synapse.actions import BaseAction, PluginCategory, action


class Params(BaseModel):
    storage: int = 3
    name: str = "batch"


def writes(**values: Any) -> BaseStep[Any]:
    """A step that sets fields of the context."""

    @step(name="write")
    def write(context: Any) -> None:
        for name, value in values.items():
            setattr(context, name, value)

    return write


def made(base: type[Any], *steps: BaseStep[Any], **members: Any) -> Any:
    """A subclass of a base action that registers these steps."""

    def setup_steps(self: Any, registry: StepRegistry[Any]) -> None:
        for each in steps:
            registry.register(each)

    body = {"setup_steps": setup_steps, "params_model": Params, **members}
    cls = type("MyAction", (base,), body)
    return cls({}, packs=())


@pytest.mark.parametrize(
    ("context_class", "names"),
    [
        (
            UploadContext,
            "params storage data_collection project pathlib_cwd allowed_extensions "
            "organized_files uploaded_files data_units excel_metadata metadata",
        ),
        (TrainContext, "params dataset model_path model"),
        (ExportContext, "params results total_count exported_count failed_count output_path"),
    ],
)
def test_fields(context_class: Any, names: str) -> None:
    """Each context has the fields that the SDK documents, all optional, none shared."""
    own = {field.name for field in fields(context_class)}
    assert own >= set(names.split())
    one, other = (context_class(RuntimeContext()) for _ in range(2))
    assert one.params == {}
    assert one.params is not other.params


@pytest.mark.parametrize("context_class", [UploadContext, TrainContext, ExportContext])
def test_client(context_class: Any) -> None:
    """`client` is that of the runtime context, and a RuntimeError where there is none."""
    client = object()
    assert context_class(RuntimeContext(client=client)).client is client
    with pytest.raises(RuntimeError, match=f"{context_class.__name__} has no client"):
        _ = context_class(RuntimeContext()).client


def test_upload_counts() -> None:
    """An upload's result counts the files and the data units of its context."""
    action = made(BaseUploadAction, writes(uploaded_files=[{}, {}], data_units=[{}]))
    assert action.run() == {
        "success": True,
        "steps_executed": 1,
        "steps_total": 1,
        "uploaded_files": 2,
        "data_units": 1,
    }


def test_upload_with_a_context_of_its_own() -> None:
    """A context without such fields adds nothing."""

    @dataclass
    class Plain(UploadContext):
        uploaded_files: Any = None
        data_units: Any = None

    action = made(BaseUploadAction, writes(), create_context=lambda self: Plain(self.ctx))
    assert action.run() == {"success": True, "steps_executed": 1, "steps_total": 1}


def test_upload_without_steps() -> None:
    """An upload without steps is a RuntimeError that names setup_steps."""
    with pytest.raises(RuntimeError, match="setup_steps"):
        made(BaseUploadAction).run()


def test_context_from_params() -> None:
    """The context gets the params as a plain dict; a param never fills a field of its name."""
    context = made(BaseUploadAction).create_context()
    assert type(context) is UploadContext
    assert context.params == {"storage": 3, "name": "batch"}
    assert context.storage is None


def test_train_with_steps() -> None:
    """A training's result holds the model once it is set, and only then."""
    assert made(BaseTrainAction, writes(model={"id": 5})).run()["model"] == {"id": 5}
    assert "model" not in made(BaseTrainAction, writes()).run()


def test_train_without_steps() -> None:
    """Without steps a training runs its execute; with neither it is a RuntimeError."""
    simple = made(BaseTrainAction, execute=lambda self: {"name": self.params.name})
    assert simple.run() == {"name": "batch"}
    both = made(BaseTrainAction, writes(), execute=lambda self: None)
    assert both.run()["steps_executed"] == 1
    with pytest.raises(RuntimeError, match="nothing to run"):
        made(BaseTrainAction).run()


def test_export() -> None:
    """An export's result holds the count always, and the path once it is set."""
    plain = made(BaseExportAction, writes()).run()
    assert plain == {
        "success": True,
        "steps_executed": 1,
        "steps_total": 1,
        "exported_count": 0,
        "failed_count": 0,
        "total_count": 0,
    }
    full = made(BaseExportAction, writes(exported_count=4, output_path="out")).run()
    assert (full["exported_count"], full["output_path"]) == (4, "out")
    assert made(BaseExportAction, execute=lambda self: "done").run() == "done"


@pytest.mark.parametrize(
    ("base", "name"),
    [(BaseUploadAction, "upload"), (BaseTrainAction, "train"), (BaseExportAction, "export")],
)
def test_lineage(base: type[Any], name: str) -> None:
    """Subclasses descend from `upload`, `train` or `export`, so packs for those shape them too."""
    assert made(base, writes()).info.lineage == ("my", name)


def test_params_from_the_generic_argument() -> None:
    """The params model is found in `BaseUploadAction[Params]`, and wrong params are an error."""

    class Mine(BaseUploadAction[Params]):
        def setup_steps(self, registry: StepRegistry[UploadContext]) -> None:
            registry.register(writes())

    assert Mine.params_model is Params
    assert Mine(Params(storage=4), packs=()).params.storage == 4
    with pytest.raises(ValueError, match="storage"):
        Mine({"storage": "many"})


def test_failure_is_undone() -> None:
    """A failing step of such an action undoes the earlier ones."""
    removed: list[str] = []

    class Put(BaseStep[UploadContext]):
        name = "put"
        progress_weight = 0.5

        def execute(self, context: UploadContext) -> StepResult:
            return StepResult(rollback_data={"file": "a"})

        def rollback(self, context: UploadContext, result: StepResult) -> None:
            removed.append(result.rollback_data["file"])

    @step
    def fail(context: Any) -> StepResult:
        return StepResult(success=False, error="no space")

    with pytest.raises(RuntimeError, match=r"^Step 'fail' failed: no space$"):
        made(BaseUploadAction, Put(), fail).run()
    assert removed == ["a"]


def test_helpers_of_an_action(notes: Any, client: Any) -> None:
    """An action without steps has the client, the logger and the log methods of the SDK's."""

    class Sum(BaseExportAction[Params]):
        def execute(self) -> Any:
            self.log("sum", {"of": 2})
            self.set_progress(1, 2, step="count")
            self.set_metrics({"n": 2}, step="count")
            self.log_message("{n} counted", n=2)
            return self.client.get_project(3)["configuration"]

    runtime = synapse.RuntimeContext(notes, client=client)
    assert Sum({}, runtime, packs=()).logger is notes
    assert Sum({}, runtime, packs=()).run() == {"classes": ["pot"]}
    # One of Handrail's own, as the command line gives it, does too.
    plain = RuntimeContext(client=client, logger=notes.plain())
    assert Sum({}, plain, packs=()).run() == {"classes": ["pot"]}
    assert notes.events() == ["sum", "message"] * 2
    assert notes.progress == [(1, 2, "count")] * 2
    assert notes.metrics == [({"n": 2}, "count")] * 2
    with pytest.raises(RuntimeError, match="No client in context"):
        _ = Sum({}, packs=()).client


def test_an_action_of_one_method(notes: Any) -> None:
    """An action of any category may be an `execute()` only; a function may be marked as one."""

    class Count(BaseAction[Params]):
        category = PluginCategory.DATA_VALIDATION

        def execute(self) -> Any:
            self.set_progress(1, 1)
            return {"metrics": {"storage": self.params.storage}}

    found = Count.dispatch({"storage": 4, "unknown": 1}, synapse.RuntimeContext(notes))
    assert found == {"metrics": {"storage": 4}}
    assert notes.progress == [(1, 1, None)]
    with pytest.raises(NotImplementedError, match="get_log_message_code_class"):
        Count.get_log_message_code_class()

    @action(params=Params, description="counts")
    def count(params: Params, context: Any) -> int:
        return params.storage

    # Params of another kind, as tests of plugins pass them, are taken as they are.
    assert Count(SimpleNamespace(storage=8), packs=()).run() == {"metrics": {"storage": 8}}

    marked: Any = count
    assert (marked._action_name, marked._action_params) == ("count", Params)
    assert count(Params(storage=2), None) == 2


def test_steps_that_depend_on_the_service(client: Any, notes: Any) -> None:
    """`setup_steps` can ask the client and log, also where the action is only planned."""

    class Depends(BaseUploadAction[Params]):
        def setup_steps(self, registry: Any) -> None:
            self.log_message("looks")
            for name in self.client.get_project(3)["configuration"]["classes"]:
                registry.register(step(name=name)(lambda context: None))

    for runtime in (
        RuntimeContext(client=client, logger=notes.plain()),
        synapse.RuntimeContext(notes, client=client),
    ):
        plan = Depends.partial({}, runtime, packs=()).plan()
        assert [each.name for each in plan.steps] == ["pot"]
    assert notes.events() == ["message", "message"]

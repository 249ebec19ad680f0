"""Actions plan and run their steps, or run in one piece."""

from __future__ import annotations

import asyncio
import types
from dataclasses import dataclass, field

import pytest
from pydantic import BaseModel

import handrail
from handrail import (
    BaseAction,
    BaseStepContext,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    action,
    hookimpl,
    step,
)
from handrail.errors import ActionError, DuplicateStepError, PackError, ParamsError


class GreetParams(BaseModel):
    """One required param, one with a default."""

    name: str
    times: int = 1


@dataclass(kw_only=True)
class GreetContext(BaseStepContext):
    """Filled from the params of the same names."""

    name: str = ""
    params: dict = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def make_steps():
    @step
    def greet(context):
        """Say hello."""
        context.said.append(f"hello {context.name}")

    @step
    def part(context):
        """Say goodbye."""
        context.said.append(f"bye {context.params['name']}")

    return greet, part


class GreetAction(BaseAction[GreetParams]):
    """An action with steps, a context and a result of its own."""

    context_class = GreetContext

    def setup_steps(self, registry: StepRegistry) -> None:
        for each in make_steps():
            registry.register(each)

    def result(self, context):
        return {"said": context.said}


def test_run_returns_the_orchestrators_result_and_the_actions():
    """run() gives the counts of the orchestrator plus what result(context) adds."""
    result = GreetAction({"name": "you"}, packs=()).run()
    assert result == {
        "success": True,
        "steps_executed": 2,
        "steps_total": 2,
        "said": ["hello you", "bye you"],
    }


def test_execute_runs_the_steps_too():
    """An action with steps can be run through execute() as well."""
    assert GreetAction({"name": "you"}, packs=()).execute()["steps_executed"] == 2


def test_run_async_runs_the_same_plan():
    """run_async gives the same result inside an event loop."""
    result = asyncio.run(GreetAction({"name": "you"}, packs=()).run_async())
    assert result["said"] == ["hello you", "bye you"]


def test_names_are_made_from_the_class():
    """Without action_name an action is called like its class."""

    class SendDailyReportAction(BaseAction):
        pass

    class Named(BaseAction):
        action_name = "other"

    assert SendDailyReportAction.action_name == "send_daily_report"
    assert Named.action_name == "other"


def test_the_lineage_names_the_actions_it_descends_from():
    """Hooks see an action's own name first, then those of its bases."""

    class Loud(GreetAction):
        pass

    info = Loud({"name": "x"}, packs=()).info
    assert info.lineage == ("loud", "greet")
    assert info.context_type is GreetContext


def test_an_action_without_steps_runs_its_own_execute():
    """When setup_steps registers nothing, run() returns what the action's execute() returns."""

    class Simple(BaseAction[GreetParams]):
        def execute(self):
            return f"hi {self.params.name}"

    class SimpleAsync(Simple):
        async def execute(self):
            return f"later {self.params.name}"

    assert Simple({"name": "you"}, packs=()).run() == "hi you"
    assert SimpleAsync({"name": "you"}, packs=()).run() == "later you"
    assert asyncio.run(SimpleAsync({"name": "you"}, packs=()).run_async()) == "later you"
    assert Simple({"name": "you"}, packs=()).plan().steps == ()


def test_an_unknown_option_of_a_run_is_refused_before_anything_is_done():
    """As any unknown keyword is."""

    @step
    def work(context):
        raise AssertionError("it ran")

    with pytest.raises(TypeError, match="on_failur"):
        action("works", [work]).run(packs=(), on_failur="keep")


def test_an_action_with_steps_and_an_execute_runs_the_steps():
    """Registered steps win over an overridden execute."""

    class Both(GreetAction):
        def execute(self):
            raise AssertionError("must not be called")

    assert Both({"name": "you"}, packs=()).run()["steps_executed"] == 2


def test_an_action_with_nothing_to_run_says_so():
    """Neither steps nor an execute is an ActionError, a RuntimeError, that tells what to do."""

    class Empty(BaseAction):
        pass

    with pytest.raises(ActionError, match="empty has nothing to run") as error:
        Empty(packs=()).run()
    assert isinstance(error.value, RuntimeError)


def test_an_error_in_setup_steps_names_the_action_and_keeps_its_cause():
    """A setup_steps that raises is an ActionError with the cause; Handrail's own errors pass."""

    class Broken(BaseAction):
        def setup_steps(self, registry):
            raise KeyError("bucket")

    class Twice(BaseAction):
        def setup_steps(self, registry):
            first, _ = make_steps()
            registry.register(first)
            registry.register(first)

    with pytest.raises(ActionError, match="setup_steps of broken raised KeyError") as error:
        Broken(packs=()).run()
    assert isinstance(error.value.__cause__, KeyError)
    with pytest.raises(DuplicateStepError, match="greet"):
        Twice(packs=()).plan()


def test_params_are_validated_when_the_action_is_made():
    """Wrong params stop an action before anything is planned."""
    with pytest.raises(ParamsError, match="the params of greet are not valid"):
        GreetAction({}, packs=())


def test_an_action_without_a_model_takes_any_mapping():
    """Without a params model the params are a plain dict."""

    class Free(BaseAction):
        def execute(self):
            return self.params

    assert Free({"a": 1}, packs=()).run() == {"a": 1}
    assert Free(packs=()).run() == {}


def test_the_default_context_is_a_console_context():
    """Without ctx an action has a RuntimeContext of its own."""
    assert isinstance(GreetAction({"name": "x"}, packs=()).ctx, RuntimeContext)
    mine = RuntimeContext(client="c")
    assert GreetAction({"name": "x"}, mine, packs=()).create_context().runtime_ctx is mine


def test_hook_modules_can_be_given_in_place_of_the_installed_packs():
    """packs=(...) takes hook modules, so a test needs nothing installed."""
    hooks = types.ModuleType("acme_shout")

    @step
    def shout(context):
        context.said.append("HEY")

    @hookimpl
    def insert_before(action, step):
        if "greet" in action.lineage and step.name == "part":
            return shout
        return None

    hooks.insert_before = insert_before
    insert_before.__module__ = "acme_shout"
    result = GreetAction({"name": "you"}, packs=(hooks,)).run()
    assert result["said"] == ["hello you", "HEY", "bye you"]


def test_a_hook_that_raises_stops_the_plan_and_names_its_pack():
    """An exception in a hook is a PackError with the cause, and nothing is run."""
    hooks = types.ModuleType("acme_broken")

    @hookimpl
    def insert_before(action, step):
        raise ZeroDivisionError("boom")

    hooks.insert_before = insert_before
    with pytest.raises(PackError) as error:
        GreetAction({"name": "you"}, packs=(hooks,)).run()
    assert isinstance(error.value.__cause__, ZeroDivisionError)
    assert error.value.exit_code == 4


def test_check_plan_can_stop_a_run_before_it_starts():
    """Problems that check_plan returns are a PlanError."""
    hooks = types.ModuleType("acme_check")

    @hookimpl
    def check_plan(plan):
        if "scan" not in plan.positions:
            return [handrail.Problem(code="unscanned", message="there is no scan")]
        return None

    hooks.check_plan = check_plan
    with pytest.raises(handrail.PlanError, match="1 problem"):
        GreetAction({"name": "you"}, packs=(hooks,)).run()


def test_observers_of_packs_hear_of_the_run():
    """observe hooks get the events of a run."""
    hooks = types.ModuleType("acme_watch")
    heard = []

    @hookimpl
    def observe(event):
        heard.append(type(event).__name__)

    hooks.observe = observe
    GreetAction({"name": "you"}, packs=(hooks,)).run()
    assert heard[0] == "RunStarted"
    assert heard[-1] == "RunFinished"


def test_action_makes_a_workflow_from_steps():
    """action(name, steps) runs like any other action, with params and context filled in."""
    greet, part = make_steps()
    nightly = action("nightly", [greet, part], params=GreetParams, context=GreetContext)
    assert nightly.run({"name": "you"}, packs=())["steps_executed"] == 2
    assert [planned.name for planned in nightly.plan(packs=()).steps] == ["greet", "part"]
    assert nightly.run({"name": "you"}, packs=())["steps_executed"] == 2
    assert nightly({"name": "you"}, packs=()).info.name == "nightly"
    assert nightly.action_class.__module__ == __name__


def test_action_without_a_context_hands_over_the_params():
    """Without a context class the steps find the params on the context."""
    seen = []

    @step
    def look(context):
        seen.append(context.params.name)

    action("look", [look], params=GreetParams).run({"name": "you"}, packs=())
    assert seen == ["you"]


def test_a_failing_step_reaches_the_caller():
    """run() raises StepFailedError with the step and its origin."""

    @step
    def fall(context) -> StepResult:
        return StepResult(success=False, error="no ground")

    with pytest.raises(StepFailedError, match="Step 'fall' failed: no ground") as error:
        action("walk", [fall]).run(packs=())
    assert error.value.step == "fall"

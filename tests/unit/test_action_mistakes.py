"""What people get wrong when they write an action ends in one sentence that says what to do."""

from __future__ import annotations

import types
from dataclasses import dataclass

import pytest

from handrail import BaseAction, BaseStepContext, Problem, action, hookimpl, step
from handrail.errors import (
    ActionError,
    ActionResultError,
    ContextError,
    ExitCode,
    PackError,
    PlanError,
)


@step
def work(context):
    """Do nothing."""


class Working(BaseAction):
    """An action with one step, to be got wrong by its subclasses."""

    def setup_steps(self, registry):
        registry.register(work)


@dataclass(kw_only=True)
class Demanding(BaseStepContext):
    """A context with a field that nothing fills."""

    bucket: str


def hooks(name, **functions):
    """Return a module with these functions as hooks."""
    module = types.ModuleType(name)
    for hook, function in functions.items():
        function.__module__, function.__name__ = name, hook
        setattr(module, hook, hookimpl(function))
    return module


@pytest.mark.parametrize("returned", [None, 5, [("a", 1)]])
def test_a_result_that_is_no_mapping_is_told_as_work_that_is_done(returned):
    """The steps are done and stay done: the error says so, and its exit code is not `invalid`."""

    class Odd(Working):
        def result(self, context):
            return returned

    with pytest.raises(ActionResultError, match="all steps are done, but result of odd") as error:
        Odd(packs=()).run()
    assert error.value.exit_code == ExitCode.KEPT


def test_a_result_that_raises_is_told_as_work_that_is_done():
    """An exception in `result` has the same exit code, and the line."""

    class Odd(Working):
        def result(self, context):
            raise KeyError("k")

    with pytest.raises(ActionResultError, match="after all steps were done KeyError") as error:
        Odd(packs=()).run()
    assert error.value.origin is not None
    assert error.value.origin.line > 0


def test_a_result_does_not_overrule_the_counts():
    """What the run itself says of its success and its steps cannot be replaced by `result`."""

    class Odd(Working):
        def result(self, context):
            return {"success": False, "steps_executed": "all", "more": 1}

    assert Odd(packs=()).run() == {
        "success": True,
        "steps_executed": 1,
        "steps_total": 1,
        "more": 1,
    }


@pytest.mark.parametrize("made", [lambda self: None, lambda self: {}])
def test_create_context_has_to_return_a_context(made):
    """None or something else in place of the context names the action and method."""
    odd = type("Odd", (Working,), {"create_context": made})
    with pytest.raises(ContextError, match="create_context of odd returned"):
        odd(packs=()).run()


def test_a_context_class_that_is_none_is_named():
    """A context_class that is not derived from BaseStepContext is told by name."""

    class Odd(Working):
        context_class = dict

    with pytest.raises(ContextError, match="the context of odd is dict, which is not derived"):
        Odd(packs=()).run()


def test_a_context_field_that_nothing_fills_is_named():
    """A required field without a param of its name is told with three ways out."""

    class Odd(Working):
        context_class = Demanding

    with pytest.raises(ContextError, match="Demanding needs bucket, and odd has no param") as error:
        Odd(packs=()).run()
    assert "give it a default" in error.value.ways_out[0]


def test_an_async_setup_steps_is_told():
    """setup_steps only registers; as a coroutine it would silently do nothing."""

    class Odd(BaseAction):
        async def setup_steps(self, registry):
            registry.register(work)

    with pytest.raises(ActionError, match="setup_steps of odd is async"):
        Odd(packs=()).plan()


def test_steps_that_are_returned_instead_of_registered_are_told():
    """A list that setup_steps returns is named in the error, with what to call."""

    class Odd(BaseAction):
        def setup_steps(self, registry):
            return [work]

    with pytest.raises(ActionError, match="registered no steps, but returned list") as error:
        Odd(packs=()).plan()
    assert "registry.register(step)" in error.value.ways_out[0]


def test_sys_exit_in_setup_steps_is_an_error_of_the_action():
    """sys.exit there would end the program with a code that means something else."""

    class Odd(BaseAction):
        def setup_steps(self, registry):
            raise SystemExit(0)

    with pytest.raises(ActionError, match=r"setup_steps of odd raised .* sys\.exit\(0\)"):
        Odd(packs=()).plan()


@pytest.mark.parametrize("name", ["", " ", "a\nb", 5, None])
def test_an_action_needs_a_name(name):
    """A name that is empty, unprintable or no text is refused where the action is made."""
    with pytest.raises(ActionError, match="must be printable text"):
        action(name, [work])


def test_an_empty_action_name_is_made_from_the_class():
    """An action_name of nothing counts as none; one that is no text is refused."""

    class SendAction(Working):
        action_name = ""

    assert SendAction.action_name == "send"
    with pytest.raises(ActionError, match="the action_name of Odd must be text, not 5"):
        type("Odd", (Working,), {"action_name": 5})


def test_a_single_step_is_no_list_of_steps():
    """action('x', step) says that it wants a list."""
    with pytest.raises(ActionError, match="the steps of odd must be a list"):
        action("odd", work)


@pytest.mark.parametrize(
    ("packs", "message"),
    [
        ("acme", "takes a sequence of hook modules, not 'acme'"),
        (5, "takes a sequence of hook modules, not 5"),
        ({"acme"}, "takes a sequence of hook modules"),
        (["acme_scan"], "'acme_scan' in packs has no hooks"),
        ([None], "None in packs has no hooks"),
        ([types.ModuleType("acme_scan")], "acme_scan in packs has no hooks"),
    ],
)
def test_packs_that_are_none_are_refused(packs, message):
    """A name or a module without hooks would test nothing, and says so."""
    with pytest.raises(PackError, match=message):
        Working(packs=packs).plan()


@pytest.mark.parametrize("answer", ["bad", True, ["bad"], 5])
def test_check_plan_may_return_problems_only(answer):
    """Another answer is an error that names the pack; it may not pass for a plan in order."""
    with pytest.raises(PackError, match="check_plan of acme-check returned"):
        Working(packs=(hooks("acme_check", check_plan=lambda plan: answer),)).plan()


def test_a_single_problem_will_do():
    """check_plan may return one Problem without a list around it."""
    pack = hooks("acme_check", check_plan=lambda plan: Problem(code="x", message="no scan"))
    with pytest.raises(PlanError, match="1 problem"):
        Working(packs=(pack,)).plan()

"""StepRegistry: an ordered list that is edited by name."""

from __future__ import annotations

import enum
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import BaseStep, BaseStepContext, StepRegistry, StepResult, StepWrapper, step
from handrail.errors import DuplicateStepError, InvalidStepError, StepNotFoundError
from handrail.plan.builder import plan_of_registry


class Step(BaseStep):
    def __init__(self, name: Any, weight: Any = 0.1, aliases: Any = ()) -> None:
        self.name = name
        self.progress_weight = weight
        self.aliases = aliases

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


class Logged(StepWrapper):
    @property
    def name(self) -> str:
        return f"logged_{self.wrapped.name}"


class Quiet(StepWrapper):
    pass


def registry(*names: str) -> StepRegistry:
    made = StepRegistry()
    for name in names:
        made.register(Step(name))
    return made


def order(steps: StepRegistry) -> list[str]:
    return [entry.name for entry in steps.entries()]


def test_steps_keep_the_order_in_which_they_are_registered() -> None:
    """`get_steps` is a copy, and length, truth, `in` and iteration are those of the list."""
    steps = registry("a", "b")
    listed = steps.get_steps()
    listed.clear()
    assert order(steps) == ["a", "b"]
    assert len(steps) == 2
    assert "a" in steps
    assert "z" not in steps
    assert [step.name for step in steps] == ["a", "b"]
    assert not StepRegistry()
    assert steps
    assert "a -> b" in repr(steps)


def test_a_missing_anchor_may_be_allowed() -> None:
    """`if_missing='skip'` and `missing_ok` leave the registry as it is."""
    steps = registry("a")
    steps.insert_after("nowhere", Step("b"), if_missing="skip")
    steps.insert_before("nowhere", Step("b"), if_missing="skip")
    steps.unregister("nowhere", missing_ok=True)
    assert order(steps) == ["a"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda steps: steps.insert_after("upload_file", Step("b")),
        lambda steps: steps.insert_before("upload_file", Step("b")),
        lambda steps: steps.replace("upload_file", Step("b")),
        lambda steps: steps.wrap("upload_file", Quiet),
        lambda steps: steps.unregister("upload_file"),
    ],
)
def test_an_unknown_anchor_is_told_with_near_names(edit: Any) -> None:
    """It is a ValueError and a LookupError, and nothing has changed."""
    steps = registry("upload_files", "scan")
    with pytest.raises(StepNotFoundError, match="did you mean upload_files") as caught:
        edit(steps)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, LookupError)
    assert order(steps) == ["upload_files", "scan"]


def test_an_unknown_anchor_without_near_names_lists_the_known_ones() -> None:
    """Where nothing is near, the message shows what there is."""
    with pytest.raises(StepNotFoundError, match="known steps: a, b"):
        registry("a", "b").unregister("something else")


def test_replace_keeps_the_old_names_as_anchors() -> None:
    """Place and layers stay, and later edits may still use the old name."""
    steps = registry("a", "b", "c")
    steps.wrap("b", Quiet)
    steps.replace("b", Step("better"))
    steps.insert_after("b", Step("d"))
    assert order(steps) == ["a", "better", "d", "c"]
    outer = steps.get_steps()[1]
    assert isinstance(outer, Quiet)
    assert outer.wrapped.name == "better"
    steps.unregister("b")
    assert "better" not in steps
    assert order(steps) == ["a", "d", "c"]


def test_replace_may_keep_the_name() -> None:
    """A step is replaced by one of the same name, and the ends of the list too."""
    steps = registry("a")
    new = Step("a")
    steps.replace("a", new)
    steps.register(Step("b"))
    assert steps.get_steps()[0] is new
    assert order(steps) == ["a", "b"]


def test_wrap_keeps_the_name() -> None:
    """A layer neither renames the step in the plan nor takes its anchor."""
    steps = registry("a")
    steps.wrap("a", Logged)
    steps.wrap("a", Logged)
    assert order(steps) == ["a"]
    assert steps.get_steps()[0].name == "logged_logged_a"
    steps.insert_after("a", Step("b"))
    assert order(steps) == ["a", "b"]


def test_several_wrappers_may_be_put_around_a_step_at_once() -> None:
    """None of them gets lost, neither then nor when the step is replaced."""
    steps = registry("a")
    a = steps.get_steps()[0]
    steps.wrap("a", lambda inner: Logged(Logged(inner)))
    steps.wrap("a", Quiet(Logged(a)))
    assert steps.get_steps()[0].name == "logged_logged_logged_a"
    steps.replace("a", Step("b"))
    assert steps.get_steps()[0].name == "logged_logged_logged_b"


def test_a_wrapper_that_makes_no_sense_is_refused() -> None:
    """It has to be a wrapper, around this step, and not around it already."""
    steps = registry("a", "b")
    a, _ = steps.get_steps()
    with pytest.raises(InvalidStepError, match="not a StepWrapper"):
        steps.wrap("a", lambda inner: inner)  # type: ignore[arg-type,return-value]
    with pytest.raises(InvalidStepError, match="wraps another step"):
        steps.wrap("b", Quiet(a))
    layer = Quiet(a)
    steps.wrap("a", layer)
    with pytest.raises(InvalidStepError, match="already around"):
        steps.wrap("a", layer)


def test_anchors_survive_wrapping() -> None:
    """A step answers to its name, the names inside its wrappers, and its aliases."""
    steps = StepRegistry()
    steps.register(Logged(Logged(Step("a", aliases=("old_a",)))))
    for name in ("logged_logged_a", "logged_a", "a", "old_a"):
        assert name in steps
        steps.insert_after(name, Step(f"after_{name}"))
    assert len(steps) == 5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Step("a"), Step("a")),
        (Step("a"), Step("b", aliases=("a",))),
        (Step("b", aliases=("a",)), Step("a")),
        (Logged(Step("a")), Step("a")),
        (Step("logged_a"), Logged(Step("a"))),
        (Step("x", aliases=("a",)), Step("y", aliases=("a",))),
    ],
)
def test_a_clash_of_names_names_both_owners(first: Any, second: Any) -> None:
    """Names, aliases and inner names are one space; a refused step leaves nothing behind."""
    steps = StepRegistry()
    steps.register(first)
    with pytest.raises(DuplicateStepError, match=r"of \w+ of .* is taken by step") as caught:
        steps.register(second)
    assert isinstance(caught.value, ValueError)
    assert type(first).__name__ in str(caught.value)
    assert type(second).__name__ in str(caught.value)
    assert len(steps) == 1
    steps.unregister(first.name)
    steps.register(second)


class Level(float, enum.Enum):
    SMALL = 0.25


@pytest.mark.parametrize("weight", [0, 1, 0.5, Fraction(1, 3), Level.SMALL])
def test_weights_may_be_any_real_number(weight: Any) -> None:
    """Whole numbers, floats, fractions and enums of floats; what counts is the value."""
    steps = StepRegistry()
    steps.register(Step("a", weight))
    assert steps.total_weight == pytest.approx(float(weight))
    assert [planned.weight_share for planned in plan_of_registry(steps)] == [1.0]


class Unreadable(Step):
    @property
    def name(self) -> str:
        raise OSError("no such thing")

    def __init__(self) -> None:
        self.progress_weight = 0.1
        self.aliases = ()


class Unnamed(BaseStep):
    progress_weight = 0.1

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(7), "has the name 7"),
        (Step(""), "non-empty"),
        (Step("  "), "non-empty"),
        (Step(None), "has the name None"),
        (Unnamed(), "Unnamed has no name"),
        (Unreadable(), "no such thing"),
        (Step("a", True), "must be a finite number"),
        (Step("a", "0.1"), "must be a finite number"),
        (Step("a", None), "must be a finite number"),
        (Step("a", math.nan), "must be a finite number"),
        (Step("a", math.inf), "must be a finite number"),
        (Step("a", -0.1), "must be a finite number"),
        (Step("a", 0.1, "old"), "must be a tuple"),
        (Step("a", 0.1, (1,)), "must be a tuple"),
        (Step("a", 0.1, ("",)), "must be a tuple"),
        (Step("a", 0.1, None), "must be a tuple"),
        (Step, "is a class: register Step()"),
        ("a", "is not a step"),
        (lambda context: None, "use @step"),
    ],
)
def test_a_senseless_step_is_refused(step: Any, text: str) -> None:
    """InvalidStepError, a ValueError, says what is wrong, and nothing is registered."""
    steps = StepRegistry()
    with pytest.raises(InvalidStepError) as caught:
        steps.register(step)
    assert text in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert len(steps) == 0


def test_a_decimal_is_refused_rather_than_rounded() -> None:
    """A weight has to be a real number that mixes with the others."""
    with pytest.raises(InvalidStepError, match="must be a finite number"):
        StepRegistry().register(Step("a", Decimal("0.1")))


def test_a_wrapper_around_itself_is_refused() -> None:
    """A loop of wrappers is told, not followed for ever."""
    layer = Quiet(Step("a"))
    layer.wrapped = layer
    layer.__dict__["name"] = "a"
    layer.__dict__["progress_weight"] = 1
    with pytest.raises(InvalidStepError, match="around itself"):
        StepRegistry().register(layer)


edits = st.lists(
    st.tuples(
        st.sampled_from(["register", "before", "after", "replace", "unregister", "wrap"]),
        st.integers(0, 12),
        st.integers(0, 12),
    ),
    max_size=30,
)


@given(edits)
def test_a_registry_is_a_list_with_names(  # noqa: C901 - the model in one piece
    moves: list[tuple[str, int, int]],
) -> None:
    """After any edits, order, names and anchors are those of a plain list of name lists."""
    steps = StepRegistry()
    model: list[list[str]] = []

    def find(name: str) -> int | None:
        return next((place for place, names in enumerate(model) if name in names), None)

    for kind, number, other in moves:
        name, anchor = f"s{number}", f"s{other}"
        place = find(name if kind == "register" else anchor)
        taken = find(name)
        try:
            if kind == "register":
                steps.register(Step(name))
                model.append([name])
            elif kind == "before":
                steps.insert_before(anchor, Step(name))
                assert place is not None
                model.insert(place, [name])
            elif kind == "after":
                steps.insert_after(anchor, Step(name))
                assert place is not None
                model.insert(place + 1, [name])
            elif kind == "replace":
                steps.replace(anchor, Step(name))
                assert place is not None
                model[place] = list(dict.fromkeys([name, *model[place]]))
            elif kind == "unregister":
                steps.unregister(anchor)
                assert place is not None
                del model[place]
            else:
                steps.wrap(anchor, Quiet)
                assert place is not None
        except StepNotFoundError:
            assert kind != "register"
            assert place is None
        except DuplicateStepError:
            assert taken is not None
            assert kind != "replace" or taken != place
        assert order(steps) == [names[0] for names in model]
        assert len(steps) == len(model)
        for number in range(13):
            assert (f"s{number}" in steps) == (find(f"s{number}") is not None)


def test_an_error_names_the_function_of_a_step() -> None:
    """A step made by @step is told by its function, not by the class behind it."""

    @step
    def find(context: BaseStepContext) -> None:
        """Do nothing."""

    registry = StepRegistry()
    registry.register(find)
    with pytest.raises(DuplicateStepError, match=r"function .*find of "):
        registry.register(find)

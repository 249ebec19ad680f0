"""The step API under the SDK's names: what its classes have beside Handrail's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

import handrail
from handrail import StepFailedError
from handrail_synapse.messages import (
    LocalizedMessage,
    LogLevel,
    LogMessageCode,
    register_log_messages,
    resolve_log_message,
)
from handrail_synapse.runtime import RuntimeContext
from handrail_synapse.steps import (
    BaseStep,
    BaseStepContext,
    LoggingStep,
    Orchestrator,
    StepRegistry,
    StepResult,
    TimingStep,
    ValidationStep,
)


@dataclass
class Seen(BaseStepContext):
    seen: list[Any] = field(default_factory=list)


class Note(BaseStep[Seen]):
    """Notes the place at which it runs."""

    def __init__(self, name: str, share: int = 0, *, skip: bool = False) -> None:
        self._name, self._share, self._skip = name, share, skip

    @property
    def name(self) -> str:
        return self._name

    @property
    def progress_weight(self) -> float:
        return 0.5

    @property
    def progress_proportion(self) -> int:
        return self._share

    def can_skip(self, context: Seen) -> bool:
        return self._skip

    def execute(self, context: Seen) -> StepResult:
        context.seen.append((context.current_step, context.current_step_order))
        context.set_progress(1, 2, step="other")
        context.set_progress(1, 2)
        context.set_metrics({"n": 1}, step="figures")
        return StepResult()


def registry_of(*steps: handrail.BaseStep[Any]) -> StepRegistry[Any]:
    registry: StepRegistry[Any] = StepRegistry()
    for each in steps:
        registry.register(each)
    return registry


def test_keywords_of_the_registry() -> None:
    """Its methods take the SDK's keywords, and tell places and shares."""
    registry = registry_of(Note("a", 10), Note("d"))
    registry.insert_after(after_name="a", step=Note("b", 90))
    registry.insert_before(before_name="d", step=Note("c"))
    assert registry.get_step_orders() == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert registry.get_step_proportions() == {"a": 10, "b": 90}
    with pytest.raises(ValueError, match="nowhere"):
        registry.insert_after(after_name="nowhere", step=Note("e"))


def test_steps_are_of_both_kinds() -> None:
    """A step is one of Handrail's, and has a proportion, at first 0."""
    assert Note("a").progress_proportion == 0
    assert isinstance(Note("a"), handrail.BaseStep)


def test_places_of_steps(notes: Any) -> None:
    """A step knows its place in the workflow, also after a skipped one, and the logger is told."""
    context = Seen(RuntimeContext(notes))
    Orchestrator(registry_of(Note("a"), Note("b", skip=True), Note("c")), context).execute()
    assert context.seen == [("a", 0), ("c", 2)]
    assert (context.current_step, context.current_step_order) == (None, None)
    assert ("c", 2) in notes.steps
    assert notes.progress[:2] == [(1, 2, "other"), (1, 2, "a")]
    assert notes.metrics == [({"n": 1}, "figures")] * 2


def test_before_step(notes: Any) -> None:
    """`before_step` is called before each step, and before it is asked whether it can skip."""
    called: list[str] = []
    context = Seen(RuntimeContext(notes))
    steps = registry_of(Note("a"), Note("b", skip=True))
    Orchestrator(steps, context, before_step=lambda name, _: called.append(name)).execute()
    assert called == ["a", "b"]
    assert context.seen == [("a", 0)]


def test_a_single_step_in_a_test(notes: Any) -> None:
    """`_set_current_step`, which tests of plugins call, does what a run does."""
    context = Seen(RuntimeContext(notes))
    context._set_current_step("a", 3)  # pyright: ignore[reportPrivateUsage]
    assert (context.current_step, context.current_step_order) == ("a", 3)
    context._set_current_step(None)  # pyright: ignore[reportPrivateUsage]
    assert (context.current_step, context.current_step_order) == (None, None)
    with pytest.raises(ValueError, match="step must be provided"):
        context.set_metrics({"n": 1})


def test_wrappers(notes: Any) -> None:
    """The wrappers are steps of the SDK's kind too, and log to a logger of its kind."""
    context = Seen(RuntimeContext(notes))
    valid = ValidationStep(lambda _: (True, None), name="check")
    for each in (LoggingStep(Note("a")), TimingStep(Note("b")), valid):
        assert isinstance(each, BaseStep)
        assert each.progress_proportion == 0
    Orchestrator(
        registry_of(LoggingStep(Note("a")), TimingStep(Note("b")), valid), context
    ).execute()
    assert notes.events() == ["step_start", "step_end"]
    assert "duration_seconds" in context.step_results[1].data


def test_failure(notes: Any) -> None:
    """A failing step has the SDK's words, and the executed ones are undone."""
    failing = ValidationStep(lambda _: (False, "no jars"), name="check")
    with pytest.raises(StepFailedError, match=r"^Step 'check' failed: no jars$"):
        Orchestrator(registry_of(Note("a"), failing), Seen(RuntimeContext(notes))).execute()


def test_timestamps() -> None:
    """The time of a result is aware; a naive one that a plugin gives stays as it is."""
    assert StepResult().timestamp.tzinfo is UTC
    naive = datetime(2026, 5, 1, 12)  # noqa: DTZ001 - that is the point
    assert StepResult(timestamp=naive).timestamp is naive


class Code(LogMessageCode):
    POTS_LEFT_OUT = ("POTS_LEFT_OUT", "warning")
    UNSPOKEN = ("UNSPOKEN", LogLevel.SUCCESS)


register_log_messages({Code.POTS_LEFT_OUT: {"en": "{count} pots left out", "fr": "{count} pots"}})


def test_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A code has a level, and a text in each language with fields; without one it is the code."""
    assert resolve_log_message(Code.POTS_LEFT_OUT, count=2) == ("2 pots left out", "warning")
    assert resolve_log_message(Code.POTS_LEFT_OUT, "fr", count=2)[0] == "2 pots"
    assert resolve_log_message(Code.UNSPOKEN) == ("UNSPOKEN", LogLevel.SUCCESS)
    assert resolve_log_message(Code.POTS_LEFT_OUT, "xx")[0] == "{count} pots left out"
    monkeypatch.setenv("SYNAPSE_LANGUAGE", "fr")
    assert resolve_log_message(Code.POTS_LEFT_OUT, count=2)[0] == "2 pots"


def test_messages_of_a_context(notes: Any) -> None:
    """Texts of any kind reach the logger with their level, and a plain Handrail logger as data."""
    context = Seen(RuntimeContext(notes, {"SYNAPSE_LANGUAGE": "fr"}))
    context.log_message(Code.POTS_LEFT_OUT, count=3)
    context.log_message({"en": "hi", "fr": "bonjour"}, LogLevel.SUCCESS)
    context.log_message(LocalizedMessage(en="only {n}"), n=1)
    context.log_message("done", context="danger")
    assert notes.messages() == [
        ("warning", "3 pots"),
        ("success", "bonjour"),
        ("info", "only 1"),
        ("danger", "done"),
    ]
    assert notes.logged[0][2]["key"] == "POTS_LEFT_OUT"
    Seen(handrail.RuntimeContext(logger=notes.plain())).log_message(Code.POTS_LEFT_OUT, count=4)
    assert notes.logged[-1][1:] == (
        "message",
        {"context": "warning", "content": "4 pots left out", "key": "POTS_LEFT_OUT"},
    )

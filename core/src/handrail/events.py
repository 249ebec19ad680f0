"""The events of a run, as frozen values with a JSON form.

Observers receive them, and `handrail run --json` prints them. `SCHEMA` is increased when a field
is renamed or removed; events and fields may be added at any time.

Events that concern a step of a group name the `group`, and the `lane` of the step in it, counted
from 0; both are None for any other step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handrail.frozen import as_json, frozen, values_of
from handrail.origin import Origin

SCHEMA = 1


class StopObserving(Exception):  # noqa: N818 - it is no error, like StopIteration
    """Raised by an observer that wants to be told nothing more of a run.

    It is dropped, as one that raises anything else, and nobody is told. A run whose observers have
    all declined it at its start, with `RunStarted`, is as fast as one without observers.
    """


@frozen
class Event:
    """Base class of all events."""

    # Its fields with texts of steps, in which known secrets are hidden.
    texts = tuple[str, ...]()

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: the name of the class as `event`, and every field."""
        values: dict[str, object] = {"event": type(self).__name__}
        for name, value in values_of(self).items():
            values[name] = as_json(value) if isinstance(value, Origin) else value
        return values


@frozen
class RunStarted(Event):
    """A run is about to start its first step.

    `locked` is True if the plan matches the project's lock, False if the lock was ignored with
    `--no-lock`, and None if there is no lock. `number` is the run's number in its journal, None if
    it is not durable; `journal` is the path of that journal, or its URL without secrets. `finished`
    counts the steps that had finished before a resume. Steps of a run that a step makes are named
    after it, `upload.initialize`, in later events.
    """

    action: str
    run_id: str
    fingerprint: str
    steps: tuple[str, ...]
    locked: bool | None = None
    number: int | None = None
    finished: int = 0
    journal: str | None = None


@frozen
class StepStarted(Event):
    """A step is about to run; `position` counts from 0, and `timeout` is in seconds."""

    step: str
    position: int
    origin: Origin
    group: str | None = None
    lane: int | None = None
    timeout: float | None = None


@frozen
class StepSkipped(Event):
    """A step was skipped because it had nothing to do."""

    step: str
    position: int
    group: str | None = None
    lane: int | None = None


@frozen
class StepFinished(Event):
    """A step succeeded after `took` seconds; `data` is the data of its result."""

    texts = ("data",)

    step: str
    position: int
    took: float
    data: Mapping[str, Any]
    group: str | None = None
    lane: int | None = None


@frozen
class StepFailed(Event):
    """A step failed after `took` seconds."""

    texts = ("error",)

    step: str
    position: int
    took: float
    error: str
    origin: Origin
    group: str | None = None
    lane: int | None = None


@frozen
class StepProgressed(Event):
    """A step reported progress within its own work; after `UndoStarted`, within its undo.

    For a step with items, `detail` says how many have failed and are worked on.
    """

    step: str
    current: float
    total: float
    category: str | None
    group: str | None = None
    lane: int | None = None
    detail: str = ""


@frozen
class StatusChanged(Event):
    """A step said what it waits for or does at the moment; None if there is nothing to say.

    What was said holds until the step says something else, reports progress, or ends.
    """

    step: str
    status: str | None
    group: str | None = None
    lane: int | None = None


@frozen
class ProgressChanged(Event):
    """The progress of the whole run rose to `percent`, 0 to 100."""

    percent: int


@frozen
class MetricsMeasured(Event):
    """A step reported measured values; `higher_is_better` is None where it did not say so."""

    texts = ("category", "value")

    step: str
    category: str
    value: Mapping[str, Any]
    higher_is_better: bool | None = None
    group: str | None = None
    lane: int | None = None


@frozen
class MessageLogged(Event):
    """A step logged an event; `name` is the name of that event."""

    texts = ("name", "data", "file")

    step: str | None
    name: str
    data: Mapping[str, Any]
    file: str | None
    group: str | None = None
    lane: int | None = None


@frozen
class Attached(Event):
    """A step attached something for people to see; `value` is its JSON form, with `kind` as `type`.

    The JSON form of the event leaves out that value, which may be long.
    """

    texts = ("name", "value")

    step: str
    name: str
    kind: str
    value: Mapping[str, Any]
    group: str | None = None
    lane: int | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, without the value."""
        values = super().to_dict()
        del values["value"]
        return values


@frozen
class UndoStarted(Event):
    """The run failed or was interrupted, and its steps are about to be undone."""

    texts = ("cause",)

    cause: str
    steps: tuple[str, ...]


@frozen
class StepUndone(Event):
    """A step was undone in `took` seconds."""

    step: str
    took: float
    group: str | None = None
    lane: int | None = None


@frozen
class UndoFailed(Event):
    """A step could not be undone."""

    texts = ("error",)

    step: str
    took: float
    error: str
    origin: Origin
    group: str | None = None
    lane: int | None = None


@frozen
class InterruptReceived(Event):
    """A signal arrived; `undoing` is true during an undo, which ignores the first signal."""

    signal: str
    undoing: bool


@frozen
class RunFinished(Event):
    """The run is over.

    `outcome` is `completed`, `rolled_back`, `rollback_incomplete`, `failed` or `interrupted`.
    `not_undone` names steps whose effects the undo of the run does not take back.
    """

    texts = ("error",)

    action: str
    outcome: str
    took: float
    steps_executed: int
    steps_total: int
    error: str | None
    not_undone: tuple[str, ...] = ()

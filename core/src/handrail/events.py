"""The events of a run, as frozen values with a JSON form.

Observers receive them, and `handrail run --json` prints them. `SCHEMA` is increased when a field
is renamed or removed; events and fields may be added at any time.
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
class StepEvent(Event):
    """Base class of the events of a step.

    One of a group names the `group`, and the `lane` of the step in it, counted from 0.
    """

    step: str
    group: str | None = None
    lane: int | None = None


@frozen
class StepStarted(StepEvent):
    """A step is about to run; `position` counts from 0, and `timeout` is in seconds."""

    position: int
    origin: Origin
    timeout: float | None = None


@frozen
class StepSkipped(StepEvent):
    """A step was skipped because it had nothing to do."""

    position: int


@frozen
class StepFinished(StepEvent):
    """A step succeeded after `took` seconds; `data` is the data of its result."""

    texts = ("data",)

    position: int
    took: float
    data: Mapping[str, Any]


@frozen
class StepFailed(StepEvent):
    """A step failed after `took` seconds."""

    texts = ("error",)

    position: int
    took: float
    error: str
    origin: Origin


@frozen
class StepProgressed(StepEvent):
    """A step reported progress within its own work; after `UndoStarted`, within its undo.

    For a step with items, `detail` says how many have failed and are worked on.
    """

    current: float
    total: float
    category: str | None
    detail: str = ""


@frozen
class StatusChanged(StepEvent):
    """A step said what it waits for or does at the moment; None if there is nothing to say.

    What was said holds until the step says something else, reports progress, or ends.
    """

    status: str | None


@frozen
class ProgressChanged(Event):
    """The progress of the whole run rose to `percent`, 0 to 100."""

    percent: int


@frozen
class MetricsMeasured(StepEvent):
    """A step reported measured values; `higher_is_better` is None where it did not say so."""

    texts = ("category", "value")

    category: str
    value: Mapping[str, Any]
    higher_is_better: bool | None = None


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
class Attached(StepEvent):
    """A step attached something for people to see; `value` is its JSON form, with `kind` as `type`.

    The JSON form of the event leaves out that value, which may be long.
    """

    texts = ("name", "value")

    name: str
    kind: str
    value: Mapping[str, Any]

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, without the value."""
        values = Event.to_dict(self)
        del values["value"]
        return values


@frozen
class UndoStarted(Event):
    """The run failed or was interrupted, and its steps are about to be undone."""

    texts = ("cause",)

    cause: str
    steps: tuple[str, ...]


@frozen
class StepUndone(StepEvent):
    """A step was undone in `took` seconds."""

    took: float


@frozen
class UndoFailed(StepEvent):
    """A step could not be undone."""

    texts = ("error",)

    took: float
    error: str
    origin: Origin


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

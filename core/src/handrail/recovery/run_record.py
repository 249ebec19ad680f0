"""A recorded run as its journal describes it: status, params, plan and steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handrail.recovery.recorded_plan import fingerprint_of, origins_of
from handrail.recovery.recorded_steps import RecordedStep, heard_of, recorded_steps, values_of
from handrail.recovery.status import RunStatus, status_of

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RecordedRun, RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A recorded run.

    Attributes:
        recorded: Its rows.
        status: Its status.
        steps: Its steps, those that have not begun too.
    """

    recorded: RecordedRun
    status: RunStatus
    steps: Sequence[RecordedStep]

    @property
    def row(self) -> RunRow:
        """The row of the run itself."""
        return self.recorded.row

    @property
    def params(self) -> Mapping[str, Any]:
        """The stored params: their `values`, and in `secrets` the variable of each secret."""
        stored: Mapping[str, Any] = json.loads(self.row.params)
        return stored

    @property
    def given(self) -> dict[str, object]:
        """The value of each param in their order, then `$VARIABLE` for each secret."""
        stored = self.params
        secrets: Mapping[str, str] = stored.get("secrets", {})
        values: Mapping[str, object] = stored.get("values", {})
        return {**values, **{name: f"${variable}" for name, variable in secrets.items()}}

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its plan."""
        return fingerprint_of(self.row.plan)

    @property
    def versions(self) -> dict[str, str]:
        """The version of each pack that had a step or a layer in its plan."""
        return {each["pack"]: each["version"] for each in origins_of(self.row.plan)}

    @property
    def heard(self) -> str:
        """When it last gave a sign of life, in UTC."""
        return heard_of(self.recorded)

    @property
    def lasting(self) -> list[str]:
        """The names of the steps that may have left something that nothing takes back."""
        return [step.name for step in self.steps if step.stays]

    def step(self, name: str) -> RecordedStep | None:
        """Return the step called `name`, or None."""
        return next((step for step in self.steps if step.name == name), None)

    def values_of(self, step: RecordedStep) -> Mapping[str, Any]:
        """Return what a step recorded for its undo, by key; nothing where it has not begun."""
        return values_of(self.recorded, step.name) if step.state else {}


def record_of(journal: Journal, number: int) -> RunRecord:
    """Return the record of the run with this number.

    Raises:
        NotFoundError: The journal has no such run.
    """
    # The stored fields of the context are for a process that goes on with the run.
    recorded = journal.read(number, fields=False)
    status = status_of(journal, recorded.row)
    steps = recorded_steps(recorded, running=status.state == "running")
    return RunRecord(recorded=recorded, status=status, steps=steps)

"""The steps of this pack; none of them has an undo, for a record stays."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from acme_audit.record import append
from acme_audit.settings import AuditSettings
from handrail import BaseStep, BaseStepContext, StepResult


class _AuditStep(BaseStep[BaseStepContext]):
    """Appends one entry; its context is the general one, so it fits every workflow."""

    progress_weight = 0.02
    event = ""

    def __init__(self, settings: AuditSettings | None = None) -> None:
        self.file: Path = (settings or AuditSettings()).file

    def execute(self, context: BaseStepContext) -> StepResult:
        entry = {"run": context.run_id, "event": self.event, **self.entry(context)}
        append(self.file, entry)
        return StepResult(data={"summary": f"{self.event} in {self.file}"})

    def entry(self, context: BaseStepContext) -> dict[str, Any]:
        """Return what is to be written down."""
        raise NotImplementedError

    def preview(self, context: BaseStepContext) -> str:
        return f"append '{self.event}' to {self.file}"


class AuditOpen(_AuditStep):
    """Open an audit record for the run."""

    name = "audit_open"
    event = "opened"

    def entry(self, context: BaseStepContext) -> dict[str, Any]:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # A container may run as a user without a name.
            user = "unknown"
        return {"user": user}


class AuditScan(_AuditStep):
    """Write down what the scan said, also when that ended the run."""

    name = "audit_scan"
    event = "scanned"
    always_run = True

    def entry(self, context: BaseStepContext) -> dict[str, Any]:
        result = context.results.get("scan_files")
        if result is None:
            return {"verdict": "not scanned"}
        entry: dict[str, Any] = {"verdict": "passed" if result.success else "refused"}
        for key in ("scanner", "scanned"):
            if key in result.data:
                entry[key] = result.data[key]
        return entry | ({"error": result.error} if result.error else {})


class AuditClose(_AuditStep):
    """Close the audit record: how the run ended."""

    name = "audit_close"
    event = "closed"
    always_run = True

    def entry(self, context: BaseStepContext) -> dict[str, Any]:
        failure = context.failure
        told = {} if failure is None else {"failure": str(failure)}
        return {"outcome": context.outcome, **told}

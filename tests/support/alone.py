"""An upload of four steps, which runs, is resumed or rolled back.

`python alone.py run|resume|rollback NUMBER` prints the outcome, and what it has imported. With DIES
in the environment, it kills itself when it has uploaded one of two files.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    StepRegistry,
    StepResult,
    resume,
    rollback,
)
from handrail.sqlite import SqliteJournal


class UploadParams(BaseModel):
    """What is uploaded, and where to."""

    source: Path
    target: Path
    skip_validation: bool = False


@dataclass(kw_only=True)
class UploadContext(BaseStepContext):
    """The state that the steps share."""

    params: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    uploaded: list[str] = field(default_factory=list)


class Initialize(BaseStep[UploadContext]):
    """Lists the files."""

    name = "initialize"
    progress_weight = 0.1

    def execute(self, context: UploadContext) -> StepResult:
        context.files = sorted(path.name for path in Path(context.params["source"]).iterdir())
        context.log("files_found", {"count": len(context.files)})
        return StepResult(data={"count": len(context.files)})


class Validate(BaseStep[UploadContext]):
    """Checks that no file is empty, unless told not to."""

    @property
    def name(self) -> str:
        return "validate"

    @property
    def progress_weight(self) -> float:
        return 0.1

    def can_skip(self, context: UploadContext) -> bool:
        return bool(context.params["skip_validation"])

    def execute(self, context: UploadContext) -> StepResult:
        source = Path(context.params["source"])
        empty = [name for name in context.files if not (source / name).stat().st_size]
        return StepResult(success=not empty, error=f"empty: {empty}" if empty else None)


class Upload(BaseStep[UploadContext]):
    """Copies each file, after it has recorded that it will."""

    name = "upload"
    progress_weight = 0.7

    def execute(self, context: UploadContext) -> StepResult:
        source, target = Path(context.params["source"]), Path(context.params["target"])
        for done, name in enumerate(context.files, 1):
            context.record_rollback("copies", str(target / name))
            (target / name).write_bytes((source / name).read_bytes())
            context.uploaded.append(name)
            context.set_progress(done, len(context.files), "files")
            if "DIES" in os.environ:
                os.kill(os.getpid(), signal.SIGKILL)
        context.set_metrics({"files": len(context.files)})
        return StepResult(rollback_data={"by": "upload"})

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        for copy in result.rollback_data.get("copies", []):
            Path(copy).unlink(missing_ok=True)


class Cleanup(BaseStep[UploadContext]):
    """Says what was uploaded."""

    name = "cleanup"
    progress_weight = 0.1

    def execute(self, context: UploadContext) -> StepResult:
        return StepResult(data={"uploaded": list(context.uploaded)})


class UploadAction(BaseAction[UploadParams]):
    """The upload."""

    action_name = "upload"
    context_class = UploadContext

    def setup_steps(self, registry: StepRegistry[UploadContext]) -> None:
        for step in (Initialize(), Validate(), Upload(), Cleanup()):
            registry.register(step)


def main() -> None:
    do, number = sys.argv[1], int(sys.argv[2])
    journal = SqliteJournal("runs.db")
    if do == "run":
        params = {"source": "source", "target": "target"}
        UploadAction(params, packs=()).run(journal=journal)
    else:
        recover = resume if do == "resume" else rollback
        recover(UploadAction, number, journal=journal, packs=())
    outcome = journal.read(number).outcome
    journal.close()
    print(json.dumps({"outcome": outcome, "imported": sorted(sys.modules)}))


if __name__ == "__main__":
    main()

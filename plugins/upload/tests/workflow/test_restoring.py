"""In a new process the context shows again what its steps had put there; nothing is made for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handrail import RuntimeContext, SourceChangedError, StepResult
from handrail_upload import (
    DefaultUploadAction,
    GenerateDataUnitsStep,
    Manifest,
    OrganizeFilesStep,
    SourceFile,
    UploadFilesStep,
)


@pytest.fixture
def context(tmp_path: Path) -> Any:
    """A context as a journal gives it back, of an upload of two files, one of which was sent."""
    path = tmp_path / "uploads" / "run.db"
    manifest = Manifest(path)
    manifest.add(
        SourceFile(
            path=f"/{name}",
            name=name,
            key=name,
            unit=name,
            role="file",
            size=1,
            mtime=0,
            state=state,
        )
        for name, state in (("a", "sent"), ("b", "skipped"))
    )
    manifest.close()
    params = {"source": tmp_path, "target": str(tmp_path / "target")}
    made = DefaultUploadAction(params, RuntimeContext(), packs=()).create_context()
    made.manifest_path = str(path)
    return made


def restore(context: Any) -> list[list[str]]:
    for step in (OrganizeFilesStep(), UploadFilesStep(), GenerateDataUnitsStep()):
        step.restore(context, StepResult())
    rows = (context.organized_files, context.uploaded_files, context.data_units)
    return [[each["name"] for each in some] for some in rows]


def test_the_rows_are_there_again(context: Any) -> None:
    assert restore(context) == [["a", "b"], ["a"], ["a"]]
    assert context.manifest is None


def test_a_manifest_that_is_gone_is_not_made_again(context: Any) -> None:
    Path(context.manifest_path).unlink()
    with pytest.raises(SourceChangedError, match=r"run\.db is gone"):
        OrganizeFilesStep().restore(context, StepResult())
    UploadFilesStep().restore(context, StepResult())
    GenerateDataUnitsStep().restore(context, StepResult())
    rows = (context.organized_files, context.uploaded_files, context.data_units)
    assert [list(each) for each in rows] == [[], [], []]
    assert not Path(context.manifest_path).exists()

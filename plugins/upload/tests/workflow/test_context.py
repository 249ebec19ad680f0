"""UploadContext: what it holds, opens and closes."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from handrail import BaseStepContext, RuntimeContext
from handrail_upload import OrganizeFilesStep, UploadContext


def test_what_a_context_holds_is_json(
    write: Callable[..., Path], make: Callable[..., Any], here: Path
) -> None:
    """Fields of a context that are not transient hold values of JSON types."""
    write("a")
    made = make()
    kept: list[UploadContext] = []
    made.result = lambda context: kept.append(context) or {}
    made.run()
    [context] = kept
    own = {each.name for each in fields(UploadContext)} - {
        each.name for each in fields(BaseStepContext)
    }
    for each in fields(context):
        if each.name in own - {"params"} and not each.metadata.get("transient"):
            json.dumps(getattr(context, each.name))
    assert len(context.uploaded_files) == 1
    assert list(context.uploaded_files) == context.uploaded_files[:]
    json.dumps(list(context.uploaded_files))
    json.dumps(list(context.data_units))


def test_by_itself(context: UploadContext, here: Path) -> None:
    """Outside a run there is a stand-in for the run, and a manifest that vanishes when closed."""
    assert context.run == context.run
    assert context.mark == f"{context.run}/upload_files"
    manifest = context.use_manifest()
    assert manifest is context.use_manifest()
    assert manifest.path.is_file()
    assert here not in manifest.path.parents
    context.close()
    assert not manifest.path.parent.exists()
    context.close()
    assert list(here.iterdir()) == []


def test_forgotten(seen: Any) -> None:
    """A manifest of a context that nobody closed goes with the context."""
    made = UploadContext(runtime_ctx=RuntimeContext(logger=seen))
    folder = made.use_manifest().path.parent
    assert folder.is_dir()
    del made
    gc.collect()
    assert not folder.exists()


def test_rows_are_read_again(
    write: Callable[..., Path], context: UploadContext, here: Path
) -> None:
    """Rows have a length, can be gone through twice, and sliced; they show what is there now."""
    write("a b c")
    OrganizeFilesStep().execute(context)
    rows = context.organized_files
    assert len(rows) == 3
    assert [each["name"] for each in rows] == [each["name"] for each in rows] == ["a", "b", "c"]
    assert rows[-1]["name"] == "c"
    assert [each["name"] for each in rows[1:]] == ["b", "c"]
    context.use_manifest().clear()
    assert (len(rows), list(rows)) == (0, [])

"""Each step undoes what it did, wherever in its records it fails, in a process of its own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from handrail import RuntimeContext, step
from handrail_export import (
    ConvertDataStep,
    DefaultExportAction,
    ExportContext,
    ExportParams,
    InitializeStep,
    SaveFilesStep,
)
from handrail_export.manifest import Manifest
from handrail_testing import check_undo, folder

FIELDS = (
    *("params", "collection", "schema", "manifest_path", "staging"),
    *("total_count", "exported_count", "failed_count", "output_path"),
)


@pytest.fixture(params=["file", "folder", "overwrite", "pictures"])
def params(request, table, shapes, export):
    """Params of exports of several shapes."""
    given = {
        "file": {"source": table(5), "target": "new/out.csv", "table": "item"},
        "folder": {"source": "rows.db", "target": "new/out", "table": "item"},
        "overwrite": {"source": "rows.db", "target": "old/", "table": "item"},
        "pictures": {"source": "shapes.db", "target": "new/coco", "format": "coco"},
    }[request.param]
    if request.param in ("folder", "overwrite"):
        given["partition_by"] = ["kind"]
    if request.param == "overwrite":
        export(**{**given, "limit": 3, "format": "csv"})
        given["if_exists"] = "overwrite"
    return ExportParams(**given).model_dump(mode="json")


class Context(ExportContext):
    """A context of the run that made the folder for files, whichever run a step is checked in."""

    @property
    def run(self):
        return Path(self.manifest_path).stem or super().run


def context_of(values):
    return Context(runtime_ctx=RuntimeContext(), **values)


def after(params, steps):
    """Return the fields of the context of a run that was killed after so many steps."""
    kept = {}

    @step
    def stop(context):
        kept.update({name: getattr(context, name) for name in FIELDS})
        context.close()
        raise KeyboardInterrupt

    class Stopped(DefaultExportAction):
        def setup_steps(self, registry):
            super().setup_steps(registry)
            for each in registry.get_steps()[steps:]:
                registry.unregister(each.name)
            for each in registry.get_steps():
                each.rollback = lambda context, result: None
            registry.register(stop)

    with pytest.raises(KeyboardInterrupt):
        Stopped(params, RuntimeContext(), packs=()).run()
    return kept


def test_initialize(params, here):
    check_undo(InitializeStep, lambda: context_of({"params": params}), folder(here))


def test_convert_data(params, here):
    kept = after(params, 3)
    world = folder(here, ignore=[".handrail/*"])
    assert check_undo(ConvertDataStep, lambda: context_of(kept), world) == 1


def test_save_files(params, here):
    kept = after(params, 4)

    def make_context():
        with closing(Manifest(Path(kept["manifest_path"]), make=False)) as manifest:
            manifest.reopen()
        return context_of(kept)

    # What is staged is not for this step to remove, and empty folders in it are of no matter.
    world = folder(here, ignore=[".handrail*", "*/.handrail*"])
    assert check_undo(SaveFilesStep, make_context, world) >= 3

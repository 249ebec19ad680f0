"""Migrated code is the same whether handrail-upload, -train and -export are installed or not.

They are installed here; a process of its own hides them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKS = ("handrail_upload", "handrail_train", "handrail_export", "handrail_storage")

HIDDEN = """\
import os, sys
from importlib.abc import MetaPathFinder

# Their metadata is there all the same.
os.environ["HANDRAIL_NO_PACKS"] = "handrail-upload,handrail-train,handrail-export,handrail-storage"

class Hides(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %r:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hides())
"""

# What a plugin sees of its contexts, params and results, on its standard output.
PLUGIN = """\
import handrail_synapse; handrail_synapse.install()
from dataclasses import fields
from pydantic import BaseModel
from synapse_sdk.plugins import BaseExportAction, BaseTrainAction, BaseUploadAction
from synapse_sdk.plugins.actions.export import ExportContext
from synapse_sdk.plugins.actions.train import TrainContext
from synapse_sdk.plugins.actions.upload import DefaultUploadAction, UploadContext
from synapse_sdk.plugins.context import RuntimeContext
from synapse_sdk.plugins.steps import BaseStep, StepResult

class Params(BaseModel):
    # As fields of the contexts are called.
    storage: int = 7
    dataset: str = "pots"
    results: list[int] = [1]
    project_id: int = 3
    model_path: str = "m"

class Show(BaseStep):
    name = "show"
    progress_weight = 1.0
    def execute(self, context):
        print({each.name: repr(getattr(context, each.name)) for each in fields(context)
               if each.name not in ("runtime_ctx", "step_results")})
        return StepResult()

class Quiet:
    def log(self, event, data, file=None): ...
    def set_progress(self, current, total, category=None): ...
    def set_metrics(self, value, category=None): ...

for base in (BaseUploadAction, BaseTrainAction, BaseExportAction):
    class Mine(base[Params]):
        def setup_steps(self, registry):
            registry.register(Show())
    action = Mine({}, RuntimeContext(Quiet()))
    print(base.__mro__[:-2], sorted(action.run()), [s.name for s in action.plan().steps])
for context in (UploadContext, TrainContext, ExportContext):
    print(context, [(each.name, each.init) for each in fields(context)])
class Whole(DefaultUploadAction[Params]): ...
print([(s.name, [l.name for l in s.layers]) for s in Whole({}).plan().steps])
"""


def output(code: str, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("pack", PACKS[:3])
def test_they_are_installed(pack: str) -> None:
    """The real packs are there, so that hiding them makes a difference."""
    __import__(pack)


def test_installing_them_changes_nothing(tmp_path: Path) -> None:
    """A plugin sees the same contexts, params, results and plans."""
    with_packs = output(PLUGIN, tmp_path / "with")
    without = output(HIDDEN % (PACKS,) + PLUGIN, tmp_path / "without")
    assert with_packs == without
    # Params fill no field of the context but `params`.
    assert "'storage': 'None'" in with_packs
    assert "'results': 'None'" in with_packs
    assert "('upload_files', [])" in with_packs


def test_a_target_without_handrail_upload(tmp_path: Path) -> None:
    """A target needs handrail-upload; a plan says so, and how to install it."""
    code = """
import handrail_synapse; handrail_synapse.install()
from synapse_sdk.plugins.actions.upload import DefaultUploadAction
from handrail import HandrailError
try:
    DefaultUploadAction({}).plan()
except HandrailError as error:
    print(error)
"""
    (tmp_path / "handrail.toml").write_text('[packs.handrail-synapse]\ntarget = "store"\n')
    said = output(HIDDEN % (PACKS,) + code, tmp_path)
    assert "needs handrail_upload:  pip install 'handrail-synapse[upload]'" in said

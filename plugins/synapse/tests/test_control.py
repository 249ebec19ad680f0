"""The control: the same plugin with the SDK itself, from the index, makes the same data units."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SDK = "synapse-sdk==2026.2.17"
# What its upload imports; the rest of what it depends on takes hundreds of megabytes.
NEEDED = (
    *("aiohttp", "httpx", "numpy", "pillow", "pydantic", "pyyaml", "requests"),
    "universal-pathlib",
)

PLUGIN = '''\
import hashlib, json, sys
from pathlib import Path

if sys.argv[1] == "handrail":
    import handrail_synapse
    assert handrail_synapse.install()

from synapse_sdk.loggers import NoOpLogger
from synapse_sdk.plugins.actions.upload import DefaultUploadAction, UploadContext, UploadParams
from synapse_sdk.plugins.actions.upload.steps.validate import ValidateFilesStep
from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext
from synapse_sdk.plugins.steps import BaseStep, StepResult

seen = []

class Client:
    """Keeps what it is given; `_post` opens a storage, as the current SDK asks for it."""

    def get_storage(self, number):
        return type("Storage", (), self._post())
    def _post(self, *args, **kwargs):
        return {"provider": "local", "configuration": {"location": "storage"}}
    def get_data_collection(self, number):
        return {"id": number, "file_specifications": [
            {"name": "image_1", "file_type": "image", "is_required": True, "is_primary": True,
             "extensions": [".png"]},
            {"name": "data_meta_1", "file_type": "data", "is_required": False}]}
    def upload_data_file(self, group, number, **options):
        files = {name: {"checksum": hashlib.md5(path.read_bytes()).hexdigest(), "path": path.name}
                 for name, path in group["files"].items()}
        return {"files": files, "meta": group["meta"], "groups": group.get("groups"),
                "data_collection": number}
    def create_data_units(self, units):
        return [{"id": number, **unit} for number, unit in enumerate(units, 1)]

class Cut(BaseStep[UploadContext]):
    @property
    def name(self):
        return "cut"
    @property
    def progress_weight(self):
        return 0.1
    def execute(self, context):
        seen.append([context.current_step, context.current_step_order, context.use_single_path,
                     [sorted(group) for group in context.organized_files],
                     [sorted(group["meta"]) for group in context.organized_files],
                     context.params["extra_params"], context.allowed_extensions])
        folder = context.pathlib_cwd / "cut"
        folder.mkdir()
        halves = []
        for group in context.organized_files:
            image = group["files"]["image_1"]
            for part in range(2):
                path = folder / f"{image.stem}_{part:04d}.png"
                path.write_bytes(image.read_bytes() + bytes([part]))
                halves.append({"files": {"image_1": path}, "meta": {**group["meta"], "part": part}})
        context.organized_files = halves
        context.params.update(cleanup_temp=True, temp_path=str(folder))
        return StepResult(data={"halves": len(halves)}, rollback_data={"folder": str(folder)})
    def rollback(self, context, result):
        seen.append(["undone", result.rollback_data["folder"]])

class Check(ValidateFilesStep):
    def execute(self, context):
        result = super().execute(context)
        seen.append([result.success, result.error])
        return result

class Break(BaseStep[UploadContext]):
    @property
    def name(self):
        return "break"
    @property
    def progress_weight(self):
        return 0.1
    def execute(self, context):
        return StepResult(success=False, error="no more")

class Upload(DefaultUploadAction[UploadParams]):
    params_model = UploadParams
    broken = False
    def get_allowed_extensions(self):
        return {"image": [".PNG"]}
    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_after("organize_files", Cut())
        registry.unregister("validate_files")
        registry.insert_before(before_name="upload_files", step=Check())
        if self.broken:
            registry.insert_after(after_name="generate_data_units", step=Break())
        seen.append([registry.get_step_orders(), registry.get_step_proportions()])

def clean(units):
    for unit in units:
        unit["meta"].pop("created_at")
    return units

contexts = []
class Kept(Upload):
    def create_context(self):
        contexts.append(super().create_context())
        return contexts[-1]

class Broken(Kept):
    broken = True

params = {"name": "n", "path": "/shots", "storage": 1, "data_collection": 5,
          "extra_params": {"group_name": "pots", "use_presigned": False}}
ctx = RuntimeContext(logger=NoOpLogger(), env=PluginEnvironment({}), client=Client())
result = Kept.dispatch(params, ctx).model_dump()
try:
    Broken.dispatch(params, ctx)
except RuntimeError as error:
    seen.append(str(error).splitlines()[0])
print(json.dumps({
    "result": {name: result[name] for name in ("success", "uploaded_files", "data_units",
                                               "steps_executed", "steps_total")},
    "units": clean(contexts[0].data_units),
    "seen": seen,
    "left": sorted(path.name for path in Path("storage").rglob("*")),
}, default=str, sort_keys=True))
'''


LEARNER = '''\
import json, sys, zipfile
from pathlib import Path

if sys.argv[1] == "handrail":
    import handrail_synapse
    assert handrail_synapse.install()

from synapse_sdk.loggers import NoOpLogger
from synapse_sdk.plugins.actions.export import BaseExporter, DefaultExportAction, ExportContext
from synapse_sdk.plugins.actions.train import BaseTrainAction, BaseTrainParams
from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext
from synapse_sdk.plugins.schemas import WeightsResult
from synapse_sdk.plugins.steps import BaseStep, StepResult
from synapse_sdk.plugins.types import ModelWeights

seen = []

class Client:
    """What an export and a training ask of the service."""

    def get_storage(self, number):
        return type("Storage", (), self._post())
    def _post(self, *args, **kwargs):
        return {"provider": "local", "configuration": {"location": "storage"}}
    def get_project(self, number):
        return {"configuration": {"classes": ["pot"]}}
    def list_tasks(self, *, params, list_all=False, **options):
        if not list_all:
            return {"count": 4}
        seen.append(["asked", params])
        files = {"note": {"file_name_original": "n.json"},
                 "image": {"file_name_original": "shots/jug.jpg", "is_primary": True}}
        return iter([
            {"id": 1, "data": {"height": 2}, "data_unit": {"files": files}},
            {"id": 2, "data": {"height": 3}, "data_unit": {"files": files}},
            {"id": 3, "data": {"height": 4}, "files_manifest": None},
            {"id": 4, "data": None, "files_manifest": None},
        ]), 4
    def list_ground_truth_events(self, *, params, list_all=False, **options):
        seen.append(["asked", params])
        Path("jug.jpg").write_bytes(b"jug")
        box = {"id": "a", "tool": "bounding_box", "classification": {"class": "jug"}}
        drawn = {"id": "a", "coordinate": {"x": 1, "y": 2, "width": 3, "height": 4}}
        data = {"annotations": {"image": [box]}, "annotationsData": {"image": [drawn]}}
        return iter([{"id": 1, "data": data, "files": {"image_1": {"path": "jug.jpg"}}}]), 1
    def create_model(self, about, *, file):
        seen.append([sorted(about), about["name"].rpartition("_")[0], about["configuration"],
                     zipfile.ZipFile(file).namelist()])
        return {"id": 5}

class Exporter(BaseExporter):
    def convert_data(self, data):
        seen.append([sorted(data), data["files"]])
        return data
    def additional_file_saving(self, unique_export_path):
        seen.append([self.params["configuration"], self.params["count"], self.params["shape"]])
        (unique_export_path / "all.txt").write_text(str(self.data_file_metrics_record.to_dict()))

class Look(BaseStep[ExportContext]):
    @property
    def name(self):
        return "look"
    @property
    def progress_weight(self):
        return 0.1
    def execute(self, context):
        seen.append([context.unique_export_path.name, sorted(context.output_paths),
                     context.project_id, context.total_count, context.export_params])
        return StepResult()

class Break(Look):
    @property
    def name(self):
        return "break"
    def execute(self, context):
        return StepResult(success=False, error="no more")

class Export(DefaultExportAction):
    entrypoint = Exporter
    broken = False
    def execute(self):
        """Abstract in the SDK, and not called."""
    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_before("convert_data", Look())
        if self.broken:
            registry.insert_after("finalize", Break())

class Broken(Export):
    broken = True

class Params(BaseTrainParams):
    name: str
    epochs: int = 2
    output_dir: str

class Learn(BaseTrainAction[Params]):
    output_type = ModelWeights
    def execute(self, data_path, checkpoint):
        folder = data_path.parent
        seen.append([str(data_path), checkpoint, self.params.epochs, self.get_dataset(),
                     sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")),
                     json.loads((folder / "json" / "jug.json").read_text())])
        self.log("begun", {"epochs": self.params.epochs})
        for epoch in range(self.params.epochs):
            self.set_progress(epoch + 1, self.params.epochs)
            self.set_metrics({"loss": 1.0}, step="train")
            self.report_metrics({"loss": 1.0}, epoch=epoch)
        if self.params.name == "bad":
            raise ArithmeticError("the loss is not a number")
        weights = folder / "weights"
        weights.mkdir()
        (weights / "best.pt").write_text("w")
        return WeightsResult(weights_path=str(weights))

ctx = RuntimeContext(logger=NoOpLogger(), env=PluginEnvironment({}), job_id=None, client=Client())
export = {"name": "pots", "storage": 1, "path": "/out", "target": "task", "filter": {"project": 3},
          "save_original_file": False, "extra_params": {"shape": "round"},
          "disable_async_delegate": True}
train = {"name": "pots", "dataset": 4, "output_dir": "data",
         "hyperparameters": [{"epochs": 1}], "checkpoint": None}
results = []
for action, params in ((Export, export), (Broken, export), (Learn, train),
                       (Learn, {**train, "name": "bad", "output_dir": "other"})):
    try:
        result = action.dispatch(params, ctx)
        results.append({name: result.get(name) for name in (
            "success", "exported_count", "failed_count", "total_count", "model_id")})
    except RuntimeError as error:
        seen.append(str(error).splitlines()[0])
print(json.dumps({
    "results": results,
    "seen": seen,
    "left": {path.as_posix(): path.read_text() for path in sorted(Path("storage/out").rglob("*"))
             if path.is_file()},
}, default=str, sort_keys=True))
'''


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A Python with which the SDK works, and the folder with it, where it can be installed."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        pytest.skip("uv, which installs the SDK, is not there")
    folder = tmp_path_factory.mktemp("sdk")
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    try:
        found = subprocess.run(
            [uv, "python", "find", "--no-project", "--system", ">=3.12"],
            check=True,
            capture_output=True,
            text=True,
            env=env,
            timeout=60,
        )
        python = found.stdout.strip()
        command = [uv, "pip", "install", "-q", "--python", python, "--target", str(folder)]
        for words in (NEEDED, ["--no-deps", SDK]):
            subprocess.run(
                [*command, *words], check=True, capture_output=True, env=env, timeout=120
            )
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"the SDK cannot be installed from the index: {error}")
    return python, folder


def ran(
    code: str, kind: str, folder: Path, python: str = sys.executable, path: str = ""
) -> dict[str, Any]:
    folder.mkdir()
    for name, content in {"image_1/jug.png": b"jug", "image_1/pot.png": b"pot"}.items():
        file = folder / "storage" / "shots" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code, kind],
        cwd=folder,
        env={**os.environ, **({"PYTHONPATH": path} if path else {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("code", [PLUGIN, LEARNER], ids=["upload", "export and training"])
def test_the_same_as_the_sdk(sdk: tuple[str, Path], tmp_path: Path, code: str) -> None:
    """Steps in between see the same, the same is asked and sent, and a failure undoes the same."""
    python, path = sdk
    ours = ran(code, "handrail", tmp_path / "ours")
    assert ours == ran(code, "sdk", tmp_path / "theirs", python, str(path))


NAMES = """\
import inspect, json, sys

if sys.argv[1] == "handrail":
    import handrail_synapse
    assert handrail_synapse.install()

from synapse_sdk import exceptions, loggers
from synapse_sdk.clients.backend import BackendClient
from synapse_sdk.utils.storage import StorageSession, errors

def arguments(function):
    found = inspect.signature(function).parameters.values()
    return [each.name if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) else "*"
            for each in found]

def methods(cls):
    found = {"__init__": cls.__init__}
    found |= {name: value for name, value in inspect.getmembers(cls, callable) if name[0] != "_"}
    return {name: arguments(value) for name, value in found.items()}

def bases(module):
    found = inspect.getmembers(module, inspect.isclass)
    return {name: [each.__name__ for each in cls.__mro__] for name, cls in found
            if issubclass(cls, Exception)}

print(json.dumps({
    "methods": {cls.__name__: methods(cls) for cls in (
        BackendClient, StorageSession, loggers.BackendLogger, loggers.BaseLogger,
        loggers.ConsoleLogger, loggers.JobLogger, loggers.NoOpLogger, loggers.TqdmLogger)},
    "errors": bases(exceptions) | bases(errors),
}))
"""

# The former ones of `upload_files_bulk`, and what only the service itself calls.
NOT_THERE = {
    ("BackendClient", "confirm_presigned_upload"),
    ("BackendClient", "request_presigned_upload"),
    ("BackendClient", "upload_file_to_presigned_url"),
    ("StorageSession", "__init__"),
    ("StorageSession", "capabilities"),
}


@pytest.mark.slow
def test_the_names_of_the_sdk(sdk: tuple[str, Path], tmp_path: Path) -> None:
    """The client, loggers and sessions have its methods and arguments, and errors its bases."""
    python, path = sdk
    ours = ran(NAMES, "handrail", tmp_path / "ours")
    theirs = ran(NAMES, "sdk", tmp_path / "theirs", python, str(path))
    missing: list[str] = []
    for name, methods in theirs["methods"].items():
        for method, arguments in methods.items():
            here = ours["methods"][name].get(method, [])
            lacking = set(arguments) - {*here, "*"}
            if (name, method) not in NOT_THERE and "*" not in here and (lacking or not here):
                missing.append(f"{name}.{method} {sorted(lacking)}")
    for name, bases in theirs["errors"].items():
        if not set(bases) <= set(ours["errors"].get(name, ())):
            missing.append(name)
    assert missing == []

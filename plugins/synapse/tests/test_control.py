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
def test_the_same_as_the_sdk(sdk: tuple[str, Path], tmp_path: Path) -> None:
    """Steps in between see the same, the same is asked and sent, and a failure undoes the same."""
    python, path = sdk
    ours = ran(PLUGIN, "handrail", tmp_path / "ours")
    assert ours == ran(PLUGIN, "sdk", tmp_path / "theirs", python, str(path))


NAMES = """\
import inspect, json, sys

if sys.argv[1] == "handrail":
    import handrail_synapse
    assert handrail_synapse.install()

from synapse_sdk import exceptions, loggers
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
    "methods": {cls.__name__: methods(cls) for cls in (StorageSession, loggers.BaseLogger)},
    "errors": bases(exceptions) | bases(errors),
}))
"""

# What only the service itself calls, or the logger of a job.
NOT_THERE = {
    ("BaseLogger", "get_progress_record"),
    ("BaseLogger", "set_progress_failed"),
    ("StorageSession", "__init__"),
    ("StorageSession", "capabilities"),
}


@pytest.mark.slow
def test_the_names_of_the_sdk(sdk: tuple[str, Path], tmp_path: Path) -> None:
    """Loggers and sessions have its methods and arguments, and errors its bases."""
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
    for name, bases in ours["errors"].items():
        if not set(theirs["errors"][name]) <= set(bases):
            missing.append(name)
    assert missing == []

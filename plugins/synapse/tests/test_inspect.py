"""`handrail synapse inspect`: reads a plugin without running it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from handrail_synapse.command import synapse
from handrail_synapse.reading import read_plugin

UPLOAD = """\
from __future__ import annotations

import synapse_sdk.plugins.steps as steps
from synapse_sdk.plugins.actions.upload import DefaultUploadAction, UploadParams
from synapse_sdk.plugins.actions.upload.steps.validate import ValidateFilesStep
from synapse_sdk.plugins.steps import BaseStep, StepResults
from synapse_sdk.clients.backend_v2 import BackendClientV2
from synapse_sdk.plugins import *

raise SystemExit("this must not run")


class Cut(steps.BaseStep):
    def execute(self, context):
        context.client.upload_data_file({}, 5)
        context.runtime_ctx.client.find_jars()
        shelf = {"provider": "synology", "configuration": {}}
        other = {"provider": "s3", "configuration": {}}
        return steps.StepOutcome(shelf, other)
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    folder = tmp_path / "cutter"
    for name, content in {
        "plugin/upload.py": UPLOAD,
        "plugin/broken.py": "def half(:\n",
        "plugin/other.py": "import json\n",
        ".venv/lib/other.py": "import synapse_sdk.nowhere\n",
        "config.yaml": "name: cutter\nactions:\n  upload:\n    entrypoint: plugin.upload.Upload\n"
        "  train:\n    entrypoint: .venv.lib.python3.12.site-packages."
        "synapse_sdk.plugins.testing.TrainAction\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def inspect(*arguments: object) -> Result:
    return CliRunner().invoke(synapse, ["inspect", *map(str, arguments)])


def test_findings(plugin: Path) -> None:
    """Each use of the SDK has its line, and says whether it runs; other code says nothing."""
    found: dict[str, list[Any]] = {}
    for each in read_plugin(plugin):
        found.setdefault(each.kind, []).append((each.file, each.line, each.name))
    code = "plugin/upload.py"
    root = "synapse_sdk.plugins"
    assert found["runs"] == [
        (code, 3, f"{root}.steps"),
        (code, 4, f"{root}.actions.upload.DefaultUploadAction"),
        (code, 4, f"{root}.actions.upload.UploadParams"),
        (code, 5, f"{root}.actions.upload.steps.validate.ValidateFilesStep"),
        (code, 6, f"{root}.steps.BaseStep"),
        (code, 8, f"{root}.*"),
        (code, 13, f"{root}.steps.BaseStep"),
    ]
    assert found["missing"] == [
        ("config.yaml", 6, f"{root}.testing.TrainAction"),
        (code, 6, f"{root}.steps.StepResults"),
        (code, 7, "synapse_sdk.clients.backend_v2.BackendClientV2"),
        (code, 17, "storage 'synology'"),
        (code, 19, f"{root}.steps.StepOutcome"),
    ]
    assert found["client"] == [
        (code, 15, "client.upload_data_file"),
        (code, 16, "client.find_jars"),
    ]
    assert found["unread"] == [("plugin/broken.py", 1, "plugin/broken.py")]


def test_screen(plugin: Path) -> None:
    """The screen has what will not run, with a hint, and the exit code is 1."""
    said = inspect(plugin)
    assert said.exit_code == 1
    assert "StepResults'; did you mean StepResult" in said.output
    assert "     7  does not run  synapse_sdk.clients.backend_v2.BackendClientV2" in said.output
    assert "a storage of the kind 'synology' cannot be read here" in said.output
    lacking = "client.find_jars\n        the client of the service has it not"
    assert lacking in said.output
    assert said.output.count("the client of the service") == 1
    assert "DefaultUploadAction" not in said.output
    assert said.output.endswith(
        "7 uses of synapse_sdk will run, 6 will not, the client needs 2 methods\n"
    )
    assert "DefaultUploadAction" in inspect("--all", plugin).output


def test_one_file_that_runs(tmp_path: Path) -> None:
    """A file may be given as well; where all runs, the exit code is 0."""
    file = tmp_path / "flow.py"
    file.write_text("from synapse_sdk.plugins.steps import BaseStep\n")
    said = inspect(file)
    assert (said.exit_code, said.output) == (0, "1 use of synapse_sdk will run, 0 will not\n")
    file.write_text("import json\n")
    assert inspect(file).output == "nothing here uses synapse_sdk\n"


def test_json(plugin: Path) -> None:
    """The same as JSON."""
    said = json.loads(inspect("--json", plugin).output)
    assert said["runs"] is False
    assert said["findings"][0] == {
        "file": "config.yaml",
        "line": 6,
        "kind": "missing",
        "name": "synapse_sdk.plugins.testing.TrainAction",
        "note": "synapse_sdk.plugins has no 'testing'",
    }

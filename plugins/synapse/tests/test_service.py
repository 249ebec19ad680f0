"""A plugin on the command line, with the service over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLUGIN = """\
from synapse_sdk.plugins.actions.upload import DefaultUploadAction, UploadContext, UploadParams
from synapse_sdk.plugins.log_messages import LogMessageCode, register_log_messages
from synapse_sdk.plugins.steps import BaseStep, StepResult


class Code(LogMessageCode):
    LOOKED_AT = ("LOOKED_AT", "warning")


register_log_messages({Code.LOOKED_AT: {"en": "{n} looked at", "fr": "{n} vus"}})


class Look(BaseStep[UploadContext]):
    name = "look"
    progress_weight = 0.1

    def execute(self, context):
        context.log_message(Code.LOOKED_AT, n=len(context.organized_files))
        context.runtime_ctx.logger.info("straight to the logger")
        context.set_metrics({"looked": 2}, step="look")
        return StepResult()


class UploadAction(DefaultUploadAction[UploadParams]):
    params_model = UploadParams

    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_after("organize_files", Look())
"""


@pytest.fixture
def storage(service: Any, source: Path) -> Any:
    """The service with a storage of files, and a collection for them."""
    about = {"id": 1, "name": "s", "category": "external", "provider": "file_system"}
    configuration = {"location": str(source.parent)}
    service.on("GET", "/storages/1/", {**about, "configuration": configuration})
    specs = [{"name": "image_1", "file_type": "image", "is_required": True}]
    service.on(
        "GET", "/data_collections/5/", {"id": 5, "name": "pots", "file_specifications": specs}
    )

    service.on("POST", "/data_files/", {"id": 1, "checksum": "c1"}, {"id": 2, "checksum": "c2"})
    service.on("POST", "/data_units/", lambda asked: [{"id": 9, **each} for each in asked.json])
    return service


def test_the_command_line_reaches_the_service_that_is_configured(
    storage: Any, tmp_path: Path, params: dict[str, Any]
) -> None:
    """`handrail run` gives an action the configured client, and shows what it logs."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "flows.py").write_text(
        "import handrail_synapse.install\nfrom plugin import UploadAction\n"
    )
    (tmp_path / "params.json").write_text(json.dumps(params))
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "handrail", "run", "flows.py:UploadAction"),
            *("--params", "params.json", "--json"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "SYNAPSE_HOST": storage.url,
            "SYNAPSE_ACCESS_TOKEN": "secret",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr + ran.stdout
    (units,) = (each.json for each in storage.of("POST", "/data_units/"))
    assert [unit["meta"]["origin_file_stem"] for unit in units] == ["jug", "pot"]
    assert [unit["files"]["image_1"]["checksum"] for unit in units] == ["c1", "c2"]
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    logged = [each for each in events if each["event"] == "MessageLogged"]
    said = [(each["name"], each["data"].get("summary")) for each in logged]
    assert said.count(("warning", "2 looked at")) == 1
    assert said.count(("info", "straight to the logger")) == 1

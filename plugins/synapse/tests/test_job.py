"""A plugin as a job of the service: all of it over HTTP, by a script as plugins bring along."""

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

# What the SDK puts beside a plugin that is to run as a job.
JOB = """\
import importlib, json, os, sys

sys.path.insert(0, os.getcwd())

from synapse_sdk.loggers import ConsoleLogger, JobLogger
from synapse_sdk.plugins.context import RuntimeContext
from synapse_sdk.plugins.context.env import PluginEnvironment
from synapse_sdk.utils.auth import create_backend_client

module, _, name = os.environ["SYNAPSE_ACTION_ENTRYPOINT"].rpartition(".")
action = getattr(importlib.import_module(module), name)
client, job = create_backend_client(), os.environ.get("SYNAPSE_JOB_ID")
logger = JobLogger(client=client, job_id=job) if client and job else ConsoleLogger()
context = RuntimeContext(logger, PluginEnvironment.from_environ(), job_id=job, client=client)
result = action.dispatch(json.loads(os.environ["SYNAPSE_ACTION_PARAMS"]), context)
logger.finish()
print(json.dumps(dict(result)))
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

    def sign(asked: Any) -> Any:
        files = [
            {"filename": each["filename"], "file_key": f"k/{number}", "presigned_url": f"{url}/put"}
            for number, each in enumerate(asked.json["files"])
            for url in (service.url,)
        ]
        return {"files": files, "expires_at": "2026-05-01"}

    def confirm(asked: Any) -> Any:
        done = [{**each, "success": True} for each in asked.json["files"]]
        return {"results": done, "created_count": len(done), "failed_count": 0}

    service.on("POST", "/data_files/presigned_upload/upload/", sign)
    service.on("PUT", "/put", 200)
    service.on("POST", "/data_files/presigned_upload/confirm_upload/", confirm)
    service.on("POST", "/data_units/", lambda asked: [{"id": 9, **each} for each in asked.json])
    service.on("POST", "/logs/", {})
    service.on("PATCH", "/jobs/j-1/", {})
    return service


def test_an_upload_as_a_job(storage: Any, tmp_path: Path, params: dict[str, Any]) -> None:
    """Files, units, log, progress and measured values of a job arrive at the service."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "job.py").write_text(JOB)
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "SYNAPSE_HOST": storage.url,
        "SYNAPSE_PLUGIN_RUN_USER_TOKEN": "user",
        "SYNAPSE_PLUGIN_RUN_TENANT": "acme",
        "SYNAPSE_JOB_ID": "j-1",
        "SYNAPSE_LANGUAGE": "fr",
        "SYNAPSE_ACTION_ENTRYPOINT": "plugin.UploadAction",
        "SYNAPSE_ACTION_PARAMS": json.dumps(params),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "handrail_synapse", "job.py"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["data_units"] == 2
    assert {each.headers.get("authorization") for each in storage.asked} == {"Token user", None}
    assert sorted(each.body for each in storage.of("PUT", "/put")) == [b"a jug", b"a pot"]
    (units,) = (each.json for each in storage.of("POST", "/data_units/"))
    assert [unit["meta"]["origin_file_stem"] for unit in units] == ["jug", "pot"]
    entries: list[Any] = []
    for each in storage.of("POST", "/logs/"):
        entries += each.json if isinstance(each.json, list) else [each.json]
    said = {each["data"].get("key"): each for each in entries if each["event"] == "message"}
    assert said["LOOKED_AT"]["data"]["content"] == "2 vus"
    assert (said["LOOKED_AT"]["level"], said["LOOKED_AT"]["step"]) == ("warning", "look")
    assert said[None]["data"]["content"] == "straight to the logger"
    assert said["UPLOAD_COMPLETED"]["step"] == "cleanup"
    assert {each["job"] for each in entries} == {"j-1"}
    updates = [each.json for each in storage.of("PATCH", "/jobs/j-1/")]
    progress = [each["progress_record"] for each in updates if "progress_record" in each]
    assert progress[-1]["current_progress"]["overall"] == 100
    measured = [each["metrics_record"]["record"] for each in updates if "metrics_record" in each]
    assert measured[-1]["steps"]["data_units"] == {"stand_by": 0, "success": 2, "failed": 0}
    assert measured[-1]["steps"]["look"] == {"looked": 2}


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
    assert len(storage.of("POST", "/data_units/")) == 1
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    logged = [each for each in events if each["event"] == "MessageLogged"]
    said = [(each["name"], each["data"].get("summary")) for each in logged]
    assert said.count(("warning", "2 looked at")) == 1
    assert said.count(("info", "straight to the logger")) == 1

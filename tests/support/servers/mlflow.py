"""A tracking server of MLflow, with SQLite and artifacts in its folder."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers.missing import need_module
from servers.process import ServerProcess
from servers.wire import Answer

# What `mlflow server --gunicorn-opts` serves, in one process that can be stopped.
SCRIPT = """
import os, sys
from mlflow.server import constants

port = int(sys.argv[1])
os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = "sqlite:///mlflow.db"
os.environ[constants.REGISTRY_STORE_URI_ENV_VAR] = "sqlite:///mlflow.db"
os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = "mlflow-artifacts:/"
os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = os.path.abspath("artifacts")
os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"

from mlflow.server import app, handlers
from werkzeug.serving import run_simple

handlers.initialize_backend_stores(*2 * ["sqlite:///mlflow.db"], "mlflow-artifacts:/")
run_simple("127.0.0.1", port, app, threaded=True)
"""


@dataclass
class MlflowServer:
    """A running server; `ask` reads what its pages show."""

    endpoint: str
    artifacts: Path

    def ask(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        """Send a request to its API, and return the answer, or that there is none such."""
        connection = http.client.HTTPConnection(self.endpoint.partition("//")[2], timeout=300)
        headers = {"Content-Type": "application/json"}
        try:
            body = json.dumps(given)
            connection.request(method, f"/api/2.0/mlflow/{path}", body, headers)
            answer = connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read())
        finally:
            connection.close()
        assert answer.status in (200, 404), (path, answer.status, found)
        return found

    def read(self, path: str) -> dict[str, Any]:
        """Read something; `path` has the query."""
        return self.ask("GET", path)


def saying(status: int, body: object = None, **headers: str) -> Answer:
    """Return an answer of such a server, or, with a text, of one that is none."""
    text = body if isinstance(body, str) else json.dumps({} if body is None else body)
    return Answer(status, {"Content-Type": "application/json", **headers}, text.encode())


@contextmanager
def running_mlflow() -> Iterator[MlflowServer]:
    """Run a server until the block ends."""
    for name in ("mlflow", "sqlalchemy", "flask_cors"):
        need_module(name, "mlflow-skinny, and what its server needs")
    with ServerProcess("mlflow", start_seconds=300) as process:
        process.environment = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        process.command = (sys.executable, "-W", "ignore", "-c", SCRIPT, process.port)
        process.start()
        yield MlflowServer(
            endpoint=f"http://127.0.0.1:{process.port}", artifacts=process.folder / "artifacts"
        )

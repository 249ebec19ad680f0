"""The clients of the service, against a server of this machine that keeps what it is asked."""

from __future__ import annotations

import base64
import hashlib
import inspect
import io
import json
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
import requests

import handrail
from handrail_synapse import BaseTrainAction, DefaultUploadAction, RuntimeContext, exceptions
from handrail_synapse.clients import backend, presigned
from handrail_synapse.clients.agent import AgentClient
from handrail_synapse.clients.backend import BackendClient
from handrail_synapse.clients.configuration import (
    create_agent_client,
    create_backend_client,
    load_credentials,
)
from handrail_synapse.exceptions import (
    ClientConnectionError,
    ClientError,
    ClientResponseIncompleteError,
    NotFoundError,
    ServerError,
    ValidationError,
)
from handrail_synapse.executor import ExecutionError, LocalExecutor
from handrail_synapse.job_logger import JobLogger
from handrail_synapse.upload.params import UploadParams


@pytest.fixture
def client(service: Any) -> Iterator[BackendClient]:
    """A client that tries again without a pause."""
    with BackendClient(service.url, "secret-1", tenant="acme", url_host="internal") as made:
        made._retry_config["backoff_factor"] = 0  # pyright: ignore[reportPrivateUsage]
        yield made


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without a configuration, in an environment without one."""
    for name in os.environ:
        if name.startswith("SYNAPSE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_who_asks(service: Any, client: BackendClient) -> None:
    """Each request says who asks, for which tenant, and what is asked by default."""
    service.on("GET", "/projects/3/", {"id": 3})
    assert client.get_project(3) == {"id": 3}
    (asked,) = service.asked
    assert asked.headers["synapse-access-token"] == "Token secret-1"
    assert asked.headers["synapse-tenant"] == "Token acme"
    assert asked.query == {"url_host": "internal"}
    assert "secret-1" not in repr(client)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "ValidationError"),
        (401, "AuthenticationError"),
        (403, "AuthorizationError"),
        (404, "NotFoundError"),
        (409, "HTTPError"),
        (422, "ValidationError"),
        (429, "RateLimitError"),
        (500, "ServerError"),
    ],
)
def test_errors_by_name(service: Any, client: BackendClient, status: int, kind: str) -> None:
    """What the service answers is the error that plugins catch, with its status and words."""
    service.on("GET", "/jobs/1/", (status, {"detail": "no"}))
    with pytest.raises(ClientError) as caught:
        client.get_job(1)
    assert type(caught.value) is getattr(exceptions, kind)
    assert (caught.value.status_code, caught.value.detail) == (status, {"detail": "no"})
    assert len(service.asked) == 1


def test_what_is_not_valid_is_told_value_by_value(service: Any, client: BackendClient) -> None:
    """The error of a request that the service finds invalid has a line for each value."""
    wrong = {"loc": ["body", "n"], "msg": "no number", "type": "float", "input": "x" * 99}
    service.on("POST", "/plugins/", (422, {"detail": [wrong]}))
    with pytest.raises(ValidationError) as caught:
        client.create_plugin({})
    head, line = str(caught.value).splitlines()
    assert head == "422 Validation Error:"
    assert line.startswith("  body -> n: no number (type=float) [input='xxx")
    assert line.endswith("...]")


def test_no_gpu(service: Any, client: BackendClient) -> None:
    """That there is no GPU is an error of its own, with what the service says."""
    client._retry_config["status_forcelist"] = []  # pyright: ignore[reportPrivateUsage]
    said = {"error_type": "gpu_unavailable", "message": "all in use", "threshold": 2}
    service.on("POST", "/plugins/p/run/", (503, said))
    with pytest.raises(exceptions.GpuUnavailableError) as caught:
        client.run_plugin("p", {"action": "train"})
    assert (caught.value.message, caught.value.error_details) == ("all in use", {"threshold": 2})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_service_refuses_is_tried_again(
    service: Any, client: BackendClient, method: str
) -> None:
    """502, 503 and 504 are tried again three times, whatever the method."""
    path = "/plugins/1/" if method == "GET" else "/plugins/"

    def ask() -> Any:
        return client.get_plugin(1) if method == "GET" else client.create_plugin({})

    service.on(method, path, 502, 503, 504, {"id": 1})
    assert ask() == {"id": 1}
    assert len(service.asked) == 4
    service.on(method, path, 503)
    with pytest.raises(ServerError, match="retries exhausted") as caught:
        ask()
    assert caught.value.status_code == 503
    assert len(service.asked) == 8


@pytest.mark.parametrize("reply", ["cut", "hang"])
def test_what_may_have_been_done_is_not_tried_again(
    service: Any, client: BackendClient, reply: str
) -> None:
    """A request without an answer is sent again only if that cannot do its work twice."""
    client.timeout = {"connect": 5, "read": 0.2}  # type: ignore[dict-item] # pyright: ignore[reportAttributeAccessIssue]
    service.on("POST", "/data_units/", reply)
    unit = {"data_collection": 5, "files": {}}
    with pytest.raises(ClientResponseIncompleteError, match="Backend response incomplete"):
        client.create_data_units([unit])
    assert len(service.of("POST", "/data_units/")) == 1
    service.on("GET", "/data_units/1/", reply)
    with pytest.raises(ClientConnectionError, match="Backend connection error"):
        client.get_data_unit(1)
    assert len(service.of("GET", "/data_units/1/")) == 4


def test_nobody_listens() -> None:
    """A service that is not there is a ClientConnectionError that says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Nobody listens there, nor will anybody.
        with BackendClient(f"http://127.0.0.1:{taken.getsockname()[1]}") as client:
            client._retry_config["backoff_factor"] = 0  # pyright: ignore[reportPrivateUsage]
            with pytest.raises(ClientConnectionError, match="Backend connection refused"):
                client.list_jobs()


def test_requests_are_validated(service: Any, client: BackendClient) -> None:
    """What the service would not take is not sent; what is None is left out."""
    service.on("PATCH", "/jobs/j/", {})
    client.update_job("j", {"status": "RUNNING", "result": None})
    assert service.asked[0].json == {"status": "RUNNING"}
    for wrong in (
        lambda: client.update_job("j", {"state": "RUNNING"}),
        lambda: client.create_model({"title": "m"}),
        lambda: client.create_data_units({"files": {}}),
    ):
        with pytest.raises(pydantic.ValidationError):
            wrong()
    assert len(service.asked) == 1


def test_logs_of_a_job(service: Any, client: BackendClient, tmp_path: Path) -> None:
    """Entries are sent together, and files as what is in them."""
    service.on("POST", "/logs/", {})
    picture = tmp_path / "a.png"
    picture.write_bytes(b"dots")
    client.create_logs([{"event": "a"}, {"event": "b", "file": str(picture)}])
    client.create_logs({"event": "c"})
    both, one = (each.json for each in service.asked)
    assert both[1]["file"] == f"data:image/png;base64,{base64.b64encode(b'dots').decode()}"
    assert one == {"event": "c"}


def test_files_and_units(service: Any, client: BackendClient, tmp_path: Path) -> None:
    """The files of a unit are sent one by one; what comes back makes the unit."""
    for name in ("a.jpg", "b.json"):
        (tmp_path / name).write_text(name)
    service.on("POST", "/data_files/", {"id": 1, "checksum": "c1"}, {"id": 2, "checksum": "c2"})
    service.on("POST", "/data_units/", lambda asked: [{"id": 9, **each} for each in asked.json])
    group = {
        "files": {"image_1": tmp_path / "a.jpg", "data_meta_1": str(tmp_path / "b.json")},
        "meta": {"n": 1},
        "groups": "pottery",
    }
    unit = client.upload_data_file(group, 5)
    assert unit["files"]["image_1"] == {"checksum": "c1", "path": str(tmp_path / "a.jpg")}
    assert unit["groups"] == ["pottery"]
    assert client.create_data_units([unit])[0]["id"] == 9
    assert b'filename="a.jpg"' in service.asked[0].body
    with pytest.raises(FileNotFoundError, match="File not found"):
        client.create_data_file(tmp_path / "none")


def test_large_files_are_sent_in_chunks(
    service: Any, client: BackendClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each chunk says where it belongs; the end has the checksum; a lost answer is asked for."""
    monkeypatch.setattr(backend.time, "sleep", lambda seconds: None)
    file = tmp_path / "large.bin"
    file.write_bytes(b"0123456789")
    first = {"id": "u", "url": f"{service.url}/chunked_upload/u/", "offset": 6}
    service.on("PUT", "/chunked_upload/", first)
    service.on("PUT", "/chunked_upload/u/", {**first, "offset": 10})
    service.on("POST", "/chunked_upload/u/", "cut")
    unfinished, finished = {"id": "u"}, {"id": "u", "completed_at": "2026-05-01"}
    service.on("GET", "/chunked_upload/u/", unfinished, finished)
    told: list[tuple[int, int]] = []
    made = client.create_chunked_upload(
        file, chunk_size=6, on_progress=lambda *each: told.append(each)
    )
    assert made == finished
    ranges = [each.headers["content-range"] for each in service.asked if each.method == "PUT"]
    assert ranges == ["bytes 0-5/10", "bytes 6-9/10"]
    assert told == [(6, 10), (10, 10)]
    (ended,) = service.of("POST", "/chunked_upload/u/")
    assert ended.json == {"md5": hashlib.md5(b"0123456789", usedforsecurity=False).hexdigest()}


def test_files_straight_to_the_storage(
    service: Any, client: BackendClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files go where the service says, again if that may help; each has arrived, or has not."""
    monkeypatch.setattr(presigned.time, "sleep", lambda seconds: None)
    paths = [tmp_path / f"{name}.txt" for name in ("ok", "later", "never", "parts")]
    for path in paths:
        path.write_text(path.stem * 2)

    def sign(asked: Any) -> Any:
        files = []
        for each in asked.json["files"]:
            stem = Path(each["filename"]).stem
            made = {"filename": each["filename"], "file_key": f"k/{stem}"}
            if stem == "parts":
                urls = [f"{service.url}/s/parts{n}" for n in (1, 2)]
                parts = [{"part_number": n, "presigned_url": u} for n, u in enumerate(urls, 1)]
                made["multipart"] = {"upload_id": "m", "part_size": 6, "parts": parts}
            else:
                made["presigned_url"] = f"{service.url}/s/{stem}?signature=x"
            files.append(made)
        return {"files": files, "expires_at": "2026-05-01"}

    def confirm(asked: Any) -> Any:
        done = [{**each, "data_file_id": 1, "success": True} for each in asked.json["files"]]
        return {"results": done, "created_count": len(done), "failed_count": 0}

    service.on("GET", "/storages/", {"results": [{"provider": "minio", "is_default": True}]})
    service.on("POST", "/data_files/presigned_upload/upload/", sign)
    service.on("POST", "/data_files/presigned_upload/confirm_upload/", confirm)
    for name in ("ok", "parts1", "parts2"):
        service.on("PUT", f"/s/{name}", 200)
    service.on("PUT", "/s/later", (400, b"<html>busy</html>"), 500, 200)
    service.on("PUT", "/s/never", (403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"))
    told: list[tuple[int, int]] = []
    answer = client.upload_files_bulk(paths, on_progress=lambda *each: told.append(each))
    found = {Path(each.file_key).stem: each for each in answer.results}
    assert {name: each.success for name, each in found.items()} == {
        "ok": True,
        "later": True,
        "never": False,
        "parts": True,
    }
    assert found["never"].error == "the storage answered 403"
    assert (answer.created_count, answer.failed_count) == (3, 1)
    assert found["ok"].checksum == hashlib.sha1(b"okok", usedforsecurity=False).hexdigest()
    assert [len(service.of("PUT", f"/s/{name}")) for name in ("later", "never")] == [3, 1]
    assert service.of("PUT", "/s/parts2")[0].body == b"arts"
    assert told[-1] == (4, 4)
    with pytest.raises(ValueError, match="no strategy 'direct'"):
        client.upload_files_bulk(paths, strategy="direct")
    service.on("GET", "/storages/", {"results": [{"provider": "sftp", "is_default": True}]})
    with pytest.raises(ValueError, match="'sftp' takes no files directly"):
        client.upload_files_bulk(paths)


def test_lists(service: Any, client: BackendClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is one page, or all of them; a page that fails may be left out, and is noted."""

    def page(asked: Any) -> Any:
        number = int(asked.query.get("page", 1))
        if number == 2:
            return 500, {}
        following = f"{service.url}/sdk/tasks/?page={number + 1}" if number < 3 else None
        return {"count": 5, "results": [number], "next": following}

    service.on("GET", "/sdk/tasks/", page)
    assert client.list_tasks({"project": 1})["results"] == [1]
    assert client.exists("list_tasks", {"project": 1})
    items, count = client.list_tasks({"page_size": 2}, list_all=True)
    assert count == 5
    with pytest.raises(ServerError):
        list(items)
    failures: list[dict[str, Any]] = []
    items, _ = client.list_tasks({"page_size": 2}, list_all=True, page_failures=failures)
    assert list(items) == [1, 3]
    assert [each["page"] for each in failures] == [2]
    asked = len(service.asked)
    monkeypatch.setattr("handrail_synapse.clients.http.time.sleep", lambda seconds: None)
    items, _ = client.list_tasks({"page_size": 2}, list_all=True, page_retries=2)
    with pytest.raises(ServerError):
        list(items)
    assert len(service.asked) - asked == 4


def test_files_of_answers_are_fetched(service: Any, client: BackendClient) -> None:
    """In the place of the URLs of files are paths; a URL that was signed anew is the same file."""
    service.on("GET", "/media/a.jpg", b"a jug")
    url = f"{service.url}/media/a.jpg"
    inline = f"data:text/plain;base64,{base64.b64encode(b'note').decode()}"
    files = {"image_1": {"url": f"{url}?s=1", "size": 5}, "note": inline, "again": f"{url}?s=2"}
    service.on("GET", "/data_units/", {"count": 1, "results": [{"files": files}]})
    units, _ = client.list_data_units(list_all=True)
    (unit,) = units
    assert unit["files"]["image_1"]["path"].read_bytes() == b"a jug"
    assert unit["files"]["image_1"]["path"] == unit["files"]["again"]
    assert unit["files"]["note"].read_text() == "note"
    assert len(service.of("GET", "/media/a.jpg")) == 1
    service.on("GET", "/models/8/", {"file": f"{service.url}/media/none.zip?signature=secret"})
    with pytest.raises(requests.HTTPError, match=r"none\.zip: 404 Not Found") as caught:
        client.get_model(8)
    assert "secret" not in str(caught.value)


def test_a_training_starts_from_a_model_of_the_service(service: Any, client: BackendClient) -> None:
    """`get_checkpoint` fetches the file of a model, and unpacks it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("weights.txt", "0.5")
    service.on("GET", "/media/m.zip", archive.getvalue())
    about = {"id": 7, "name": "m", "category": None, "file": f"{service.url}/media/m.zip"}
    service.on("GET", "/models/7/", about)

    class Params(pydantic.BaseModel):
        checkpoint: int = 7

    class Train(BaseTrainAction[Params]):
        pass

    found = Train({}, RuntimeContext(client=client), packs=()).get_checkpoint()
    assert found is not None
    assert (found["path"] / "weights.txt").read_text() == "0.5"


def test_lines_of_a_job(service: Any, client: BackendClient) -> None:
    """What a job writes is read line by line; what the service refuses is an error."""
    service.on("GET", "/jobs/j/tail_console_logs/", b"one\ntwo\n")
    assert list(client.tail_job_console_logs("j")) == ["one", "two"]
    with pytest.raises(NotFoundError):
        list(client.tail_job_console_logs("k"))


def test_annotations_of_many_tasks(service: Any, client: BackendClient) -> None:
    """One task that fails does not stop the others."""
    service.on("PUT", "/tasks/1/annotate_task_data/", {"id": 1})
    found = client.annotate_task_data_batch([{"task_id": n, "data": {}} for n in (1, 2)])
    assert (found[1]["success"], found[2]["success"]) == (True, False)
    assert found[2]["error"].startswith("404")


def test_agent(service: Any) -> None:
    """An agent is asked with its own token, for its user and tenant."""
    service.on("GET", "/health/", {"status": "ok"})
    service.on("POST", "/plugin_releases/p@1/run/", {"n": 1})
    with AgentClient(service.url, "secret-2", user_token="u", tenant="t") as client:
        assert client.health_check() == {"status": "ok"}
        assert client.run_plugin_release("p@1", "train", {"a": 1}, job_id="j") == {"n": 1}
        with pytest.raises(NotFoundError):
            client.get_job("none")
    assert service.asked[0].headers["authorization"] == "secret-2"
    assert service.asked[1].json == {"action": "train", "params": {"a": 1}, "job_id": "j"}


def test_configuration(monkeypatch: pytest.MonkeyPatch, nothing_configured: Path) -> None:
    """The client is that of variables, else of the file of the SDK; without both there is none."""
    assert create_backend_client() is None
    assert create_agent_client() is None
    file = nothing_configured / ".synapse" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"host": "http://a.example", "access_token": "secret-3"}))
    client = create_backend_client()
    assert client is not None
    assert (client.base_url, client.access_token) == ("http://a.example", "secret-3")
    assert "secret-3" not in repr(load_credentials())
    monkeypatch.setenv("SYNAPSE_PLUGIN_RUN_USER_TOKEN", "user")
    monkeypatch.setenv("SYNAPSE_HOST", "http://b.example/")
    client = create_backend_client()
    assert client is not None
    assert (client.base_url, client.access_token) == ("http://b.example", None)
    assert client.authorization_token == "user"
    file.write_text("no JSON")
    assert load_credentials().host == "http://b.example/"
    monkeypatch.setenv("SYNAPSE_AGENT_URL", "http://c.example")
    monkeypatch.setenv("SYNAPSE_AGENT_TOKEN", "secret")
    assert create_agent_client() is not None


class Plain(BaseTrainAction[Any]):
    def execute(self) -> Any:
        return self.ctx.client


def test_the_client_of_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one that was given; else, where Handrail makes the context, the configured one."""
    monkeypatch.setenv("SYNAPSE_ACCESS_TOKEN", "secret")
    given = object()
    assert Plain({}, RuntimeContext(client=given), packs=()).run() is given
    assert Plain({}, RuntimeContext(), packs=()).run() is None
    # As the command line makes it, and where none is given.
    for ctx in (handrail.RuntimeContext(), None):
        assert isinstance(Plain({}, ctx, packs=()).run(), BackendClient)
    monkeypatch.delenv("SYNAPSE_ACCESS_TOKEN")
    assert Plain({}, packs=()).run() is None


def test_local_executor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An action runs in this process with the configured client; its result is written."""
    monkeypatch.setenv("SYNAPSE_ACCESS_TOKEN", "secret")

    class Count(BaseTrainAction[Any]):
        def execute(self) -> Any:
            self.log_message({"en": "counted", "fr": "fait"})
            assert isinstance(self.client, BackendClient)
            return {"n": 1 / self.params["by"]}

    executor = LocalExecutor(env={}, language="fr")
    assert executor.execute(Count, {"by": 2}) == {"n": 0.5}
    said = capsys.readouterr()
    assert (said.out, said.err) == ('Result: {"n": 0.5}\n', "info: fait\n")
    with pytest.raises(ExecutionError, match="Action execution failed: division by zero"):
        executor.execute(Count, {"by": 0})


def test_the_client_of_the_sdk_if_that_is_installed(tmp_path: Path) -> None:
    """Where the SDK is installed, an action of this pack gets the SDK's own client."""
    package = tmp_path / "synapse_sdk" / "utils"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent / "plugins"):
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("")
    (package / "auth.py").write_text("def create_backend_client(): return 'of the SDK'\n")
    code = (
        "from handrail_synapse import BaseTrainAction\n"
        "class Plain(BaseTrainAction):\n"
        "    def execute(self): return self.ctx.client\n"
        "print(Plain({}, packs=()).run())"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "of the SDK\n"), ran.stderr


def test_the_recording_client_is_called_like_the_real_one(bulk_client: Any) -> None:
    """What the tests of migrated code ask of their client, the real one has, with its arguments."""
    of_its_own = {"asked"}
    recorded = [
        (name, value)
        for name, value in inspect.getmembers(type(bulk_client), inspect.isfunction)
        if name[0] != "_" and name not in of_its_own
    ]
    assert len(recorded) >= 10
    for name, value in recorded:
        taken = inspect.signature(value).parameters.values()
        real = inspect.signature(getattr(BackendClient, name)).parameters.values()
        positional = [each for each in real if each.kind is each.POSITIONAL_OR_KEYWORD]
        given = [each for each in taken if each.kind is each.POSITIONAL_OR_KEYWORD]
        assert len(given) <= len(positional), name
        named = {each.name for each in taken if each.kind is each.KEYWORD_ONLY}
        assert named <= {each.name for each in real}, name


def test_a_job_of_the_recording_client(bulk_client: Any, params: dict[str, Any]) -> None:
    """An upload with a JobLogger is recorded as a whole: units, entries, progress."""
    logger = JobLogger(bulk_client, "17", background_flush=False)

    class Upload(DefaultUploadAction[UploadParams]):
        action_name = "upload"

    runtime = RuntimeContext(logger, {}, "17", bulk_client)
    Upload(params, runtime, packs=()).run()
    logger.finish()
    asked = {name for name, _ in bulk_client.calls}
    assert asked == {
        *("get_storage", "get_data_collection", "upload_files_bulk", "create_data_units"),
        *("create_logs", "update_job"),
    }
    *_, (job, update) = (given for name, given in bulk_client.calls if name == "update_job")
    assert job == "17"
    assert update["progress_record"]["current_progress"]["overall"] == 100

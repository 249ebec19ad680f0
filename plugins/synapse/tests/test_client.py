"""The client of the service, against a server of this machine that keeps what it is asked."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import handrail
from handrail_synapse import BaseTrainAction, RuntimeContext, exceptions
from handrail_synapse.client import BackendClient
from handrail_synapse.configuration import create_backend_client
from handrail_synapse.exceptions import (
    ClientConnectionError,
    ClientError,
    ClientResponseIncompleteError,
    ServerError,
    ValidationError,
)


def client_of(service: Any, **options: Any) -> BackendClient:
    """A client that tries again without a pause."""
    return BackendClient(service.url, "secret-1", tenant="acme", backoff=0, **options)


@pytest.fixture
def client(service: Any) -> Iterator[BackendClient]:
    with client_of(service, url_host="internal") as made:
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
    service.on("GET", "/projects/1/", (status, {"detail": "no"}))
    with pytest.raises(ClientError) as caught:
        client.get_project(1)
    assert type(caught.value) is getattr(exceptions, kind)
    assert (caught.value.status_code, caught.value.detail) == (status, {"detail": "no"})
    assert len(service.asked) == 1


def test_what_is_not_valid_is_told_value_by_value(service: Any, client: BackendClient) -> None:
    """The error of a request that the service finds invalid has a line for each value."""
    wrong = {"loc": ["body", "n"], "msg": "no number", "type": "float", "input": "x" * 99}
    service.on("POST", "/data_units/", (422, {"detail": [wrong]}))
    with pytest.raises(ValidationError) as caught:
        client.create_data_units([])
    head, line = str(caught.value).splitlines()
    assert head == "422 Validation Error:"
    assert line.startswith("  body -> n: no number (type=float) [input='xxx")
    assert line.endswith("...]")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_service_refuses_is_tried_again(
    service: Any, client: BackendClient, method: str
) -> None:
    """502, 503 and 504 are tried again three times, whatever the method."""
    path = "/projects/1/" if method == "GET" else "/data_units/"

    def ask() -> Any:
        return client.get_project(1) if method == "GET" else client.create_data_units([])

    service.on(method, path, 502, 503, 504, {"id": 1})
    assert ask() == {"id": 1}
    assert len(service.asked) == 4
    service.on(method, path, 503)
    with pytest.raises(ServerError, match="tried again in vain") as caught:
        ask()
    assert caught.value.status_code == 503
    assert len(service.asked) == 8


@pytest.mark.parametrize("reply", ["cut", "hang"])
def test_what_may_have_been_done_is_not_tried_again(service: Any, reply: str) -> None:
    """A request without an answer is sent again only if that cannot do its work twice."""
    with client_of(service, timeout=(5, 0.2)) as client:
        service.on("POST", "/data_units/", reply)
        with pytest.raises(ClientResponseIncompleteError):
            client.create_data_units([{"data_collection": 5, "files": {}}])
        assert len(service.of("POST", "/data_units/")) == 1
        service.on("GET", "/projects/1/", reply)
        with pytest.raises(ClientConnectionError):
            client.get_project(1)
        assert len(service.of("GET", "/projects/1/")) == 4


def test_nobody_listens() -> None:
    """A service that is not there is a ClientConnectionError that says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Nobody listens there, nor will anybody.
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with (
            BackendClient(url, backoff=0) as client,
            pytest.raises(ClientConnectionError, match="not reached"),
        ):
            client.get_project(1)


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
    """Each chunk says where it belongs; the end has the checksum, and names the file."""
    monkeypatch.setattr("handrail_synapse.client._CHUNK", 6)
    file = tmp_path / "large.bin"
    file.write_bytes(b"0123456789")
    first = {"id": "u", "url": f"{service.url}/chunked_upload/u/", "offset": 6}
    service.on("PUT", "/chunked_upload/", first)
    service.on("PUT", "/chunked_upload/u/", {**first, "offset": 10})
    service.on("POST", "/chunked_upload/u/", {"id": "u"})
    service.on("POST", "/data_files/", {"id": 1, "checksum": "c1"})
    assert client.create_data_file(file)["checksum"] == "c1"
    ranges = [each.headers["content-range"] for each in service.asked if each.method == "PUT"]
    assert ranges == ["bytes 0-5/10", "bytes 6-9/10"]
    (ended,) = service.of("POST", "/chunked_upload/u/")
    assert ended.json == {"md5": hashlib.md5(b"0123456789", usedforsecurity=False).hexdigest()}
    assert service.asked[-1].json == {"chunked_upload": "u"}


def test_configuration(monkeypatch: pytest.MonkeyPatch, nothing_configured: Path) -> None:
    """The client is that of variables, else of the file of the SDK; without both there is none."""
    assert create_backend_client() is None
    file = nothing_configured / ".synapse" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"host": "http://a.example", "access_token": "secret-3"}))
    client = create_backend_client()
    assert client is not None
    assert (client.base_url, client.access_token) == ("http://a.example", "secret-3")
    assert "secret-3" not in repr(client)
    monkeypatch.setenv("SYNAPSE_PLUGIN_RUN_USER_TOKEN", "user")
    monkeypatch.setenv("SYNAPSE_HOST", "http://b.example/")
    client = create_backend_client()
    assert client is not None
    assert (client.base_url, client.access_token) == ("http://b.example", None)
    assert client.authorization_token == "user"
    file.write_text("no JSON")
    assert create_backend_client() is not None


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
    recorded = [
        (name, value)
        for name, value in inspect.getmembers(type(bulk_client), inspect.isfunction)
        if name[0] != "_" and name not in ("asked", "upload_files_bulk")
    ]
    for name, value in recorded:
        taken = inspect.signature(value).parameters.values()
        real = inspect.signature(getattr(BackendClient, name)).parameters.values()
        positional = [each for each in real if each.kind is each.POSITIONAL_OR_KEYWORD]
        given = [each for each in taken if each.kind is each.POSITIONAL_OR_KEYWORD]
        assert len(given) <= len(positional), name
        named = {each.name for each in taken if each.kind is each.KEYWORD_ONLY}
        assert named <= {each.name for each in real}, name

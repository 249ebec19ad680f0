"""Storages: folders, buckets of a real server, what has no list, and what is refused."""

from __future__ import annotations

import pickle
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from servers.process import ServerProcess

from handrail import resume
from handrail.errors import StepFailedError
from handrail.sqlite import SqliteJournal
from handrail_synapse import DefaultUploadAction, RuntimeContext
from handrail_synapse.storages import kinds
from handrail_synapse.storages.errors import (
    StorageCapabilityError,
    StorageConfigError,
    StorageContractVersionError,
    StorageError,
    StorageNotFoundError,
    StorageProviderNotFoundError,
    StorageSessionClosedError,
    StorageUploadError,
)
from handrail_synapse.storages.session import (
    StorageSession,
    get_path_file_count,
    get_path_total_size,
    get_pathlib,
    get_storage,
    on_this_machine,
)
from handrail_synapse.upload.params import UploadParams

CONTENT = {
    "shots/image_1/jug.jpg": b"a jug",
    "shots/image_1/deep/pot.jpg": b"a pot",
    "shots/data_meta_1/pot.json": b'{"height": 12}',
    "shots/meta.csv": b"filename,glaze\npot.jpg,blue\n",
}


def bucket_of(server: Any) -> dict[str, Any]:
    """The configuration of a new bucket with a few files."""
    name = server.bucket()
    for key, content in CONTENT.items():
        server.client().put_object(Bucket=name, Key=key, Body=content)
    return {
        "bucket_name": name,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "region_name": server.region,
        "endpoint_url": server.endpoint,
    }


@pytest.fixture
def bucket(moto: Any) -> dict[str, Any]:
    return bucket_of(moto)


def check_paths(root: Any) -> None:
    """Do with the paths below `root` what plugins do with paths."""
    shots = root / "shots"
    jug = shots / "image_1" / "jug.jpg"
    assert (jug.name, jug.stem, jug.suffix, jug.parent.name) == (
        "jug.jpg",
        "jug",
        ".jpg",
        "image_1",
    )
    assert (jug.exists(), jug.is_file(), jug.is_dir()) == (True, True, False)
    assert (shots.exists(), shots.is_dir(), (shots / "none").exists()) == (True, True, False)
    assert jug.read_bytes() == b"a jug"
    with jug.open("rb") as file:
        assert file.read(3) == b"a j"
    assert jug.stat().st_size == 5
    assert jug.stat().st_mtime > 0
    assert sorted(each.name for each in shots.iterdir()) == ["data_meta_1", "image_1", "meta.csv"]
    assert [each.name for each in (shots / "image_1").glob("*.jpg")] == ["jug.jpg"]
    found = sorted(each for each in shots.rglob("*.jpg") if each.is_file())
    assert [each.name for each in found] == ["pot.jpg", "jug.jpg"]
    assert jug.is_relative_to(shots)
    cut = shots / "cut" / "jug_0001.txt"
    cut.parent.mkdir(parents=True, exist_ok=True)
    cut.write_text("half a jug", encoding="utf-8")
    assert cut.read_text(encoding="utf-8") == "half a jug"
    with cut.with_suffix(".png").open("wb") as file:
        file.write(b"png")
    assert sorted(each.name for each in cut.parent.iterdir()) == ["jug_0001.png", "jug_0001.txt"]
    for each in list(cut.parent.iterdir()):
        each.unlink()
    assert not cut.exists()


def test_paths_of_a_bucket(bucket: dict[str, Any]) -> None:
    """The paths of a bucket do what plugins do with paths."""
    config = {"provider": "amazon_s3", "configuration": bucket}
    root = get_pathlib(config, "/")
    check_paths(root)
    assert str(get_pathlib(config, "/shots")) == f"s3://{bucket['bucket_name']}/shots"
    assert get_path_file_count(config, "/shots/image_1") == 2
    assert get_path_total_size(config, "/shots/image_1") == 10


@pytest.mark.slow
def test_paths_of_a_bucket_of_another_server(radosgw: Any) -> None:
    """So do those of a server that checks signatures."""
    check_paths(get_pathlib({"provider": "minio", "configuration": bucket_of(radosgw)}, ""))


def test_paths_of_a_folder(tmp_path: Path) -> None:
    """Those of a folder are paths of this machine."""
    for name, content in CONTENT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    root = get_pathlib({"provider": "file_system", "configuration": {"location": tmp_path}}, "/")
    assert isinstance(root, Path)
    check_paths(root)
    assert on_this_machine(root / "shots") == tmp_path / "shots"


def answers_ssh(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


@pytest.fixture
def sftp() -> Iterator[dict[str, Any]]:
    """The configuration of an SFTP server with a few files; rclone is one."""
    pytest.importorskip("paramiko")
    if shutil.which("rclone") is None:
        pytest.skip("rclone, which serves files by SFTP, is not there")
    with ServerProcess("rclone", is_ready=answers_ssh) as server:
        for name, content in CONTENT.items():
            path = server.folder / "served" / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        server.command = (
            *("rclone", "serve", "sftp", server.folder / "served"),
            *("--addr", f"127.0.0.1:{server.port}", "--user", "u", "--pass", "p"),
        )
        server.start()
        account = {"username": "u", "password": "p", "root_path": "/data"}
        yield {"host": "127.0.0.1", "port": server.port, **account}


@pytest.mark.slow
def test_paths_of_an_sftp_server(sftp: dict[str, Any], tmp_path: Path) -> None:
    """So do those of an SFTP server, which can be written too."""
    config = {"provider": "sftp", "configuration": sftp}
    root = get_pathlib(config, "/")
    check_paths(root)
    file = tmp_path / "a.txt"
    file.write_text("a")
    url = get_storage(config).upload(file, "/out/deep/a.txt")
    assert url == f"sftp://127.0.0.1:{sftp['port']}/data/out/deep/a.txt"
    assert on_this_machine(root / "out/deep/a.txt").read_text() == "a"
    assert get_path_file_count(config, "/out") == 1
    root.fs.client.close()


def test_a_bucket_of_google(moto: Any) -> None:
    """A bucket of Google's storage is listed and read; its protocol for that is that of S3."""
    bucket = f"acme{uuid.uuid4().hex}"  # This server does not know a hyphen when it is quoted.
    moto.client().create_bucket(Bucket=bucket)
    for name, content in CONTENT.items():
        moto.client().put_object(Bucket=bucket, Key=name, Body=content, ACL="public-read")
    key = {"gcs_base_url": moto.endpoint, "disable_oauth": True, "private_key_id": ""}
    config = {
        "bucket_name": bucket,
        "credentials": {**key, "client_email": "", "private_key": ""},
    }
    shots = get_pathlib({"provider": "gcp", "configuration": config}, "shots/image_1")
    assert str(shots) == f"gs://{bucket}/shots/image_1"
    assert sorted(each.name for each in shots.rglob("*.jpg")) == ["jug.jpg", "pot.jpg"]
    assert (shots / "jug.jpg").read_bytes() == b"a jug"


@pytest.mark.parametrize("provider", ["local", "s3"])
def test_a_storage_that_is_written(
    provider: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """`upload` copies a file into a storage; what cannot be copied is an error that says so."""
    config: Any = {"location": str(tmp_path / "store")}
    if provider == "s3":
        config = request.getfixturevalue("bucket")
    storage = get_storage({"provider": provider, "configuration": config})
    file = tmp_path / "a.txt"
    file.write_text("a")
    url = storage.upload(file, "/out/deep/a.txt")
    assert url.endswith("/out/deep/a.txt")
    assert storage.exists("out/deep/a.txt")
    assert [each.name for each in storage.glob("out/deep/*")] == ["a.txt"]
    with pytest.raises(StorageNotFoundError, match="Source file not found"):
        storage.upload(tmp_path / "none", "b.txt")
    with pytest.raises(StorageUploadError, match=r"a\.txt could not be written to"):
        get_storage(
            {
                "provider": "s3",
                "configuration": {
                    "bucket_name": "acme-nowhere",
                    "access_key": "a",
                    "secret_key": "s",
                    "endpoint_url": config.get("endpoint_url"),
                },
            }
            if provider == "s3"
            else {"provider": "local", "configuration": {"location": str(file)}}
        ).upload(file, "b/c.txt")


@pytest.fixture
def web(service: Any) -> Iterator[Any]:
    """A server that has one file, and takes others by POST only."""
    service.on("GET", "/files/a.txt", b"abc")
    service.on("HEAD", "/files/a.txt", b"abc")
    service.on("PUT", "/files/b.txt", 405)
    service.on("POST", "/files/b.txt", 200)
    config = {"base_url": f"{service.url}/files/", "headers": {"X-Key": "k"}}
    with StorageSession(provider_name="http", configuration=config) as session:
        yield session


def test_files_of_a_web_server(service: Any, web: Any, tmp_path: Path) -> None:
    """A file of a web server can be read and sent, but there is no list of them."""
    path = web.path("/") / "a.txt"
    assert (path.name, path.stem, path.suffix) == ("a.txt", "a", ".txt")
    assert str(path) == f"{service.url}/files/a.txt"
    assert (path.exists(), path.is_dir(), (path.parent / "b").is_file()) == (True, False, False)
    assert path.read_text() == "abc"
    assert web.materialize("a.txt").read_bytes() == b"abc"
    assert service.asked[0].headers["x-key"] == "k"
    file = tmp_path / "b.txt"
    file.write_text("b")
    assert web.storage().upload(file, "b.txt").endswith("/files/b.txt")
    with pytest.raises(StorageCapabilityError, match="does not support directory listing"):
        web.list_dir()
    with pytest.raises(StorageError, match="not supported for HTTP storage"):
        web.storage().get_path_file_count(path)


@pytest.mark.parametrize("provider", ["synology", "smb", "azure"])
def test_other_storages_are_refused(provider: str) -> None:
    """A storage of another kind is refused, with the kinds that are there and a way out."""
    with pytest.raises(StorageProviderNotFoundError, match=r"only local, .* mount it, and name it"):
        get_pathlib({"provider": provider, "configuration": {}}, "/")


def test_a_kind_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plugin can add a kind of storages."""
    monkeypatch.setattr(kinds, "_KINDS", dict(kinds._KINDS))  # pyright: ignore[reportPrivateUsage]
    kinds.register_provider("shelf", lambda: kinds.LocalStorage)
    assert kinds.is_provider_supported("shelf")
    found = get_pathlib({"provider": "shelf", "configuration": {"location": str(tmp_path)}}, "a")
    assert found == tmp_path / "a"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"provider": "local", "configuration": {}}, "has no location"),
        ({"provider": "s3", "configuration": {"bucket_name": "b"}}, "no access_key and no secret"),
        ({"provider": "sftp", "configuration": {"host": "h", "username": "u"}}, "Either password"),
        ({"provider": "http", "configuration": {"base_url": "ftp://x"}}, "must start with http"),
        ({"configuration": {}}, "needs a provider"),
    ],
)
def test_what_a_configuration_lacks(given: dict[str, Any], said: str) -> None:
    """A configuration that lacks something is an error that names it."""
    with pytest.raises(StorageConfigError, match=said):
        get_storage(given)


@pytest.mark.parametrize(
    ("provider", "missing"), [("s3", "upath"), ("gcs", "obstore"), ("sftp", "paramiko")]
)
def test_a_library_that_is_missing(
    provider: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the library of a storage is missing, the error says how to install it."""
    for name in (missing, f"{missing}.fsspec"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    config = {
        "bucket_name": "b",
        "access_key": "a",
        "secret_key": "s",
        "credentials": {},
        "host": "h",
        "username": "u",
        "password": "p",
    }
    config["credentials"] = "key.json"
    with pytest.raises(StorageProviderNotFoundError, match=r"needs .*:  pip install "):
        get_storage({"provider": provider, "configuration": config})


class Service:
    """Gives sessions with a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.until: str | None = None
        self.version = 1

    def _post(self, path: str, *, json: dict[str, str]) -> dict[str, Any]:
        assert path == "storages/3/session/"
        self.asked.append(json["purpose"])
        configuration = {"location": str(self.folder)}
        made: dict[str, Any] = {"provider": "local", "configuration": configuration}
        return {**made, "expires_at": self.until, "contract_version": self.version}


def test_sessions(tmp_path: Path) -> None:
    """A session is renewed when its credentials end; closed, it gives no paths."""
    service = Service(tmp_path)
    session = StorageSession.open(service, 3, "write")
    assert (session.storage_id, session.path("a")) == (3, tmp_path / "a")
    session.path("b")
    assert service.asked == ["write"]
    session.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    session.path("c")
    session.path("d")
    assert service.asked == ["write", "write"]
    with pytest.raises(TypeError, match="not serializable"):
        pickle.dumps(session)
    assert str(tmp_path) not in repr(session)
    (tmp_path / ".hidden").write_text("")
    (tmp_path / "shown").write_text("")
    assert [each.name for each in session.list_dir()] == ["shown"]
    session.close()
    with pytest.raises(StorageSessionClosedError):
        session.path()
    service.version = 2
    with pytest.raises(StorageContractVersionError, match="version 2"):
        StorageSession.open(service, 3)
    service.version, service.until = 1, "2026-05-01T00:00:00"
    assert StorageSession.open(service, 3).expires_at == datetime(2026, 5, 1, tzinfo=UTC)


class PlainUpload(DefaultUploadAction[UploadParams]):
    action_name = "upload"


@pytest.fixture
def remote(client: Any, bucket: dict[str, Any]) -> Any:
    """A client whose storage is a bucket."""
    client.storage = {"provider": "s3", "configuration": bucket}
    return client


def test_an_upload_from_a_bucket(
    remote: Any, notes: Any, params: dict[str, Any], tmp_path: Path
) -> None:
    """An upload finds the files of a bucket, reads the sheet there, and sends the files."""
    PlainUpload(params, RuntimeContext(notes, client=remote), packs=()).run()
    assert sorted(remote.files.values()) == [b"a jug", b"a pot", b'{"height": 12}']
    pot = remote.units[1]
    assert pot["meta"]["glaze"] == "blue"
    assert pot["files"]["image_1"]["path"].startswith("s3://")


def test_an_upload_from_a_bucket_goes_on(
    remote: Any, notes: Any, params: dict[str, Any], tmp_path: Path
) -> None:
    """A kept run of such an upload goes on with the same files."""
    remote.failing["upload_data_file"] = ConnectionError("gone")
    runtime = RuntimeContext(notes, client=remote)
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        with pytest.raises(StepFailedError):
            PlainUpload(params, runtime, packs=()).run(journal=journal, on_failure="keep")
        remote.failing.clear()
        assert resume(PlainUpload, 1, journal=journal, ctx=runtime, packs=())["data_units"] == 2
    assert len(remote.files) == 3


def test_from_a_bucket_to_ones_own_target(
    remote: Any,
    notes: Any,
    params: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a target in the settings, files of a bucket are stored there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handrail.toml").write_text('[packs.handrail-synapse]\ntarget = "store"\n')
    PlainUpload(params, RuntimeContext(notes, client=remote)).run()
    stored = {path.name: path.read_bytes() for path in (tmp_path / "store").glob("*_1/*")}
    assert stored == {"jug.jpg": b"a jug", "pot.jpg": b"a pot", "pot.json": b'{"height": 12}'}

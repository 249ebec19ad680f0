"""What the tests of storages share: each kind of storage, seen from outside, and files to send."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from handrail_storage.backend import make_client
from handrail_storage.containment import Notes
from handrail_upload.digests import Digest
from handrail_upload.manifest import SourceFile
from handrail_upload.pace import Budget, Pace
from handrail_upload.params import UploadParams
from handrail_upload.site import Site
from handrail_upload.storage import Sending, Storage, open_storage, parse_target

MIB = 1 << 20
MARK = "0198-run/upload_files"
CLOUDS = ("AWS_", "AZURE_", "GOOGLE_")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, in an environment that knows of no cloud."""
    for name in os.environ:
        if name.startswith(CLOUDS):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def site_of(tmp_path: Path) -> Callable[[str], Callable[[Notes], Site]]:
    """Return where an upload to a target works."""

    def _site_of(target: str) -> Callable[[Notes], Site]:
        options = UploadParams(source=tmp_path, target=target)
        return partial(Site.of, options=options, run=None, here=str(tmp_path))

    return _site_of


# What is sent, and how


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., SourceFile]:
    """Make a file that is to be stored under a key, as it is found."""
    numbers = itertools.count()
    folder = tmp_path / "source"
    folder.mkdir()

    def _source(key: str, content: bytes) -> SourceFile:
        path = folder / str(next(numbers))
        path.write_bytes(content)
        found = path.stat()
        return SourceFile(
            path=str(path),
            name=key,
            key=key,
            unit=key,
            role="file",
            size=found.st_size,
            mtime=found.st_mtime_ns,
        )

    return _source


class HastyEvent(threading.Event):
    """An event for which nobody waits any time; `waits` has the seconds that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set()


@pytest.fixture
def sending() -> Callable[..., Sending]:
    """Say how files are sent: in parts of 5 MiB, one at a time, and never waiting in between."""

    def _sending(
        *,
        mark: str = MARK,
        rate: int | None = None,
        on_bytes: Callable[[int], None] = lambda count: None,
    ) -> Sending:
        stop = HastyEvent()
        return Sending(
            mark=mark,
            part_size=5 * MIB,
            part_concurrency=1,
            stop=stop,
            pace=Pace(rate, stop),
            budget=Budget(64 * MIB, stop),
            on_bytes=on_bytes,
        )

    return _sending


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept between two attempts, which take no time."""

    class Time:
        slept: list[float] = []  # noqa: RUF012 - there is one of it

        @classmethod
        def sleep(cls, seconds: float) -> None:
            cls.slept.append(seconds)

    monkeypatch.setattr("handrail_storage.retries.time", Time)
    return Time.slept


# Each kind of storage


@dataclass
class Place:
    """A storage, and what somebody else sees and does there.

    Attributes:
        kind: `folder`, `memory`, `moto`, `radosgw` or `azurite`.
        storage: The storage, probed.
    """

    kind: str
    storage: Storage

    def content(self, key: str) -> bytes | None:
        """Return what is stored there, or None."""
        raise NotImplementedError

    def leave(self, key: str, content: bytes) -> None:
        """Store something there, as somebody else would."""
        raise NotImplementedError

    def keys(self) -> list[str]:
        """Return all keys below the target."""
        raise NotImplementedError

    def marks(self, key: str) -> dict[str, str]:
        """Return the metadata that the object was given, if the storage keeps any."""
        raise NotImplementedError


@dataclass
class FolderPlace(Place):
    root: Path

    def content(self, key: str) -> bytes | None:
        path = self.root / key
        return path.read_bytes() if path.exists() else None

    def leave(self, key: str, content: bytes) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        other = path.parent / f"{uuid.uuid4()}"
        other.write_bytes(content)
        other.replace(path)

    def keys(self) -> list[str]:
        files = (path for path in self.root.rglob("*") if not path.is_dir())
        return sorted(str(path.relative_to(self.root)) for path in files)

    def marks(self, key: str) -> dict[str, str]:
        return {}


@dataclass
class BucketPlace(Place):
    """A place in an S3 server, seen by boto3."""

    client: Any
    bucket: str
    prefix: str

    def content(self, key: str) -> bytes | None:
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)
        except self.client.exceptions.NoSuchKey:
            return None
        return answer["Body"].read()

    def leave(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=content)

    def keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        found = (each["Key"] for page in pages for each in page.get("Contents", []))
        return [key.removeprefix(self.prefix) for key in found]

    def marks(self, key: str) -> dict[str, str]:
        answer = self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)
        return answer["Metadata"]


@dataclass
class StorePlace(Place):
    """A place that only obstore knows, seen by another client of it."""

    client: Any
    prefix: str

    def content(self, key: str) -> bytes | None:
        import obstore

        try:
            return bytes(obstore.get(self.client, self.prefix + key).bytes())
        except FileNotFoundError:
            return None

    def leave(self, key: str, content: bytes) -> None:
        import obstore

        obstore.put(self.client, self.prefix + key, content, use_multipart=False)

    def keys(self) -> list[str]:
        import obstore

        found = (each["path"] for page in obstore.list(self.client) for each in page)
        return sorted(key.removeprefix(self.prefix) for key in found)

    def marks(self, key: str) -> dict[str, str]:
        import obstore

        answer = obstore.get(self.client, self.prefix + key, options={"head": True})
        return dict(answer.attributes)


@pytest.fixture
def open_place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Place]:
    """Open an empty place of a kind, as a user does who has set the environment."""

    def _open(kind: str) -> Place:
        if kind == "folder":
            root = tmp_path / "target" / "deep"
            return FolderPlace(kind, _ready(str(root)), root)
        if kind == "memory":
            target = f"memory://{uuid.uuid4()}/deep/er"
            return StorePlace(
                kind, _ready(target), make_client(parse_target(target), retries=0), "deep/er/"
            )
        server = request.getfixturevalue(kind)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        if kind == "azurite":
            container = server.container()
            return StorePlace(
                kind, _ready(f"az://{container}/deep/er"), _azure(server, container), "deep/er/"
            )
        bucket = server.bucket()
        storage = _ready(f"s3://{bucket}/deep/er")
        return BucketPlace(kind, storage, server.client(), bucket, "deep/er/")

    return _open


def _ready(target: str) -> Storage:
    storage = open_storage(target, retries=2)
    storage.prepare(lambda name: None)
    storage.probe(".handrail-probe", MARK)
    return storage


def _azure(server: Any, container: str) -> Any:
    from obstore.store import AzureStore

    config = {
        "account_name": server.account,
        "account_key": server.key,
        "endpoint": server.endpoint,
    }
    return AzureStore(container, config=config, client_options={"allow_http": True})


@pytest.fixture(params=["folder", "memory", "moto", "radosgw", "azurite"])
def place(request: pytest.FixtureRequest, open_place: Callable[[str], Place]) -> Place:
    """An empty place of each kind."""
    return open_place(request.param)


@pytest.fixture
def digest() -> Callable[..., Digest]:
    """Return the digest of a content, as a storage wants it."""

    def _digest(storage: Storage, content: bytes, part_size: int = 5 * MIB) -> Digest:
        made = storage.digest_for(len(content), part_size)
        made.update(content)
        return made

    return _digest


@pytest.fixture(scope="session")
def content_of() -> Callable[[int], bytes]:
    """Return so many bytes, which are not all alike."""
    block = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(1024))
    return lambda size: (block * (size // len(block) + 1))[:size]

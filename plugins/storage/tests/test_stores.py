"""Each store of this library keeps the contract of stores."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from handrail_storage import Store, open_store
from handrail_storage.backend import objects
from handrail_storage.contract import StoreContract


def ready(place: str) -> Store:
    store = open_store(place, retries=2)
    store.prepare(lambda name: None)
    return store


class TestFolder(StoreContract):
    many = 120  # Each is flushed to the disk.

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return ready(str(tmp_path / "target" / "deep"))

    @pytest.fixture
    def missing(self) -> None:
        """A folder that is not there is made."""


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return ready(f"memory://{uuid.uuid4()}/deep/er")

    @pytest.fixture
    def missing(self) -> None:
        """A memory is there once it is opened."""


class Bucket(StoreContract):
    server: str

    @pytest.fixture
    def store(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
        server: Any = request.getfixturevalue(self.server)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        return ready(f"s3://{server.bucket()}/deep/er")

    @pytest.fixture
    def missing(self, store: Store) -> Store:
        return open_store("s3://acme-nowhere/deep", retries=2)


class TestMoto(Bucket):
    server = "moto"
    many = 120  # It takes its time for each; more than one answer holds are tried with radosgw.


@pytest.mark.slow
class TestRadosgw(Bucket):
    server = "radosgw"
    big = 20 << 20  # It confuses what it reads from parts that are no whole MiB.

    @pytest.fixture(autouse=True)
    def one_part_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It may refuse parts of one upload that arrive side by side."""
        monkeypatch.setattr(objects, "_AT_A_TIME", 1)


class TestAzurite(StoreContract):
    @pytest.fixture
    def store(self, azurite: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
        for name, value in azurite.environment().items():
            monkeypatch.setenv(name, value)
        return ready(f"az://{azurite.container()}/deep/er")

    @pytest.fixture
    def missing(self, store: Store) -> Store:
        return open_store("az://acme-nowhere/deep", retries=2)

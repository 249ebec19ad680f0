"""Fixtures: servers shared by the tests of one process, and servers for a single test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from servers.azurite import AzureServer, running_azurite
from servers.cutting import CuttingLine
from servers.disk import mount_disk
from servers.mlflow import MlflowServer, running_mlflow
from servers.moto import running_moto
from servers.postgres import PostgresServer, running_postgres
from servers.process import let_go
from servers.radosgw import running_radosgw
from servers.s3 import OwnS3Server, S3Server
from servers.wire import Wire


def shared(own: OwnS3Server) -> S3Server:
    """Return the server without the methods that stop or pause it."""
    return S3Server(
        endpoint=own.endpoint,
        access_key=own.access_key,
        secret_key=own.secret_key,
        region=own.region,
    )


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """An S3 server in memory. It accepts every secret and honours create-only puts."""
    with running_moto() as server:
        yield shared(server)


@pytest.fixture(scope="session")
def radosgw() -> Iterator[S3Server]:
    """An S3 server that checks signatures, and ignores the condition of a create-only put."""
    with running_radosgw() as server:
        yield shared(server)


@pytest.fixture
def open_wire(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Wire]]:
    """Put a wire before the server of that name; what is opened then goes through it."""
    wires: list[Wire] = []

    def _open(kind: str) -> Wire:
        server = request.getfixturevalue(kind)
        wires.append(Wire(server.endpoint))
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", wires[-1].endpoint)
        return wires[-1]

    yield _open
    for wire in wires:
        wire.close()


@pytest.fixture
def own_moto() -> Iterator[OwnS3Server]:
    """A moto for this test alone; when killed, it loses all data."""
    with running_moto() as server:
        yield server


@pytest.fixture
def own_radosgw() -> Iterator[OwnS3Server]:
    """A radosgw for this test alone; acknowledged data survive when it is killed."""
    with running_radosgw() as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[AzureServer]:
    """Azure's blob storage, emulated; skips if Azurite is not installed, in CI too."""
    with running_azurite() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow() -> Iterator[MlflowServer]:
    """A tracking server of MLflow."""
    with running_mlflow() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; most tests want `postgres_url`."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this test alone, which may stop it; what was committed survives."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The URL of an empty database for this test alone."""
    return postgres.database()


@pytest.fixture
def cutting_line(postgres: PostgresServer) -> Iterator[CuttingLine]:
    """A line to the shared PostgreSQL server that can break."""
    with CuttingLine(postgres.process.port) as line:
        yield line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A function that mounts an empty disk of the given size in MiB and returns its folder."""
    mounted: list[Popen[bytes]] = []

    def mount(mebibytes: int) -> Path:
        folder = tmp_path / f"small-disk-{len(mounted)}"
        folder.mkdir()
        mounted.append(mount_disk(folder, mebibytes))
        return folder

    yield mount
    for each in mounted:
        let_go(each)

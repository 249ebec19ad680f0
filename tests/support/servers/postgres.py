"""PostgreSQL in the newest installed version of Debian, with its defaults for durability."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers.missing import missing
from servers.process import ServerProcess

PACKAGE = "the Debian package postgresql"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A server whose superuser `postgres` needs no password."""

    programs: Path
    process: ServerProcess

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.process.port}/{database}"

    def database(self) -> str:
        """Create an empty database; return its URL."""
        name = f"acme_{uuid.uuid4().hex[:12]}"
        command: list[str | Path] = [
            *(self.programs / "psql", "--no-psqlrc", "--quiet"),
            *(f"--dbname={self.url('postgres')}", f"--command=CREATE DATABASE {name}"),
        ]
        subprocess.run(command, env=clean_environment(), timeout=60, check=True)
        return self.url(name)


def clean_environment() -> dict[str, str]:
    """Return the environment without variables that select another server."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}


def find_programs() -> Path:
    """Return the folder of the newest initdb, psql and postgres; they are not on Debian's PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: [int(part) for part in path.parts[4].split(".") if part.isdigit()],
    )
    elsewhere = shutil.which("initdb")
    if not found and elsewhere is None:
        missing("PostgreSQL", PACKAGE)
    return found[-1].parent if found else Path(str(elsewhere)).resolve().parent


def find_user() -> str | None:
    """Return the user to run the server as: None for this user, unless it is root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        missing("the system user postgres", PACKAGE)


@contextmanager
def running_postgres(*options: str) -> Iterator[PostgresServer]:
    """Run a server with an empty cluster, and further options, until the block ends."""
    programs, user = find_programs(), find_user()

    def accepts_connections(port: int) -> bool:
        options = ["--quiet", "--host=127.0.0.1", f"--port={port}"]
        command = [str(programs / "pg_isready"), *options]
        return subprocess.run(command, env=clean_environment(), check=False).returncode == 0

    with ServerProcess(
        "postgres",
        is_ready=accepts_connections,
        user=user,
        stop_signal=signal.SIGQUIT,  # Immediate shutdown: its data are discarded.
        # Where its processes outlive it, it cannot be started again.
        stop_seconds=20.0,
    ) as process:
        process.environment = clean_environment()
        data = process.folder / "data"
        process.command = (
            *(programs / "postgres", "-D", data, "-p", process.port),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", *options),
        )
        process.run(
            *(programs / "initdb", "-D", data, "--username=postgres", "--auth=trust"),
            *("--locale=C.UTF-8", "--encoding=UTF8", "--no-instructions"),
        )
        process.start()
        yield PostgresServer(programs=programs, process=process)

"""moto's server: S3 in memory. It accepts every secret and honours create-only puts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from servers.missing import need_module
from servers.process import ServerProcess
from servers.s3 import OwnS3Server


@contextmanager
def running_moto() -> Iterator[OwnS3Server]:
    """Run a server until the block ends."""
    need_module("boto3", "boto3")
    for name in ("moto", "flask_cors"):
        need_module(name, "moto[server]")
    with ServerProcess("moto") as process:
        # It starts over and over, and writes no modules anew.
        process.environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        process.command = (
            *(sys.executable, "-W", "ignore", "-m", "moto.server"),
            *("-H", "127.0.0.1", "-p", process.port),
        )
        process.start()
        yield OwnS3Server(
            endpoint=f"http://127.0.0.1:{process.port}",
            access_key="acme",
            secret_key="acme-secret",
            process=process,
        )

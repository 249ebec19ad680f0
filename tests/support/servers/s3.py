"""An S3 server as tests see it."""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass, field
from typing import Any

from servers.missing import need_module
from servers.process import ServerProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """Where an S3 server is and who may use it."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    def bucket(self) -> str:
        """Make an empty bucket; return its name, which no other has."""
        name = f"acme-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self) -> Any:
        """Return a boto3 client, to look at the server from outside what is tested."""
        return boto3_client(self)

    def environment(self) -> dict[str, str]:
        """Return the variables that lead obstore, boto3 and their like to this server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnS3Server(S3Server):
    """An S3 server that belongs to one test, which may do to it what it likes."""

    process: ServerProcess = field(compare=False, repr=False)

    def kill(self) -> None:
        """End it at once, as a power cut would end the machine."""
        self.process.kill()

    def start(self) -> None:
        """Start it again: same port, same folder."""
        self.process.start()

    def pause(self) -> None:
        """Freeze it: connections stay open, and nobody answers."""
        self.process.pause()

    def resume(self) -> None:
        """Let it go on."""
        self.process.resume()


@functools.lru_cache(maxsize=16)
def boto3_client(server: S3Server) -> Any:
    need_module("boto3", "boto3")
    from boto3.session import Session
    from botocore.config import Config

    session = Session(
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
    )
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"total_max_attempts": 2},
        s3={"addressing_style": "path"},
        # radosgw does not know the trailing checksums that newer clients send unasked.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", endpoint_url=server.endpoint, config=config)

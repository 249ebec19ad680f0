"""S3Server: the interface of S3 servers for tests."""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass, field
from typing import Any

from servers.missing import need_module
from servers.process import ServerProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """The address and the credentials of an S3 server."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    def bucket(self) -> str:
        """Create an empty bucket; return its unique name."""
        name = f"acme-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self) -> Any:
        """Return a boto3 client, to inspect the server independently of the code under test."""
        return boto3_client(self)

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which obstore and boto3 use this server."""
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
    """An S3 server for a single test, which may kill and pause it."""

    process: ServerProcess = field(compare=False, repr=False)

    def kill(self) -> None:
        """Kill the server, like a power cut."""
        self.process.kill()

    def start(self) -> None:
        """Start the server again, with the same port and folder."""
        self.process.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open without an answer."""
        self.process.pause()

    def resume(self) -> None:
        """Let the server continue."""
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
        # radosgw does not support the trailing checksums that newer clients send by default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", endpoint_url=server.endpoint, config=config)

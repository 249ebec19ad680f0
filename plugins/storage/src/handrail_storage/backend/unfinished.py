"""Aborts uploads in parts that a killed process had begun.

The client for uploads cannot list them, so this uses the AWS SDK if it is installed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from handrail_storage.backend.clients import ENDPOINTS
from handrail_storage.places import Place

_SKEW = timedelta(minutes=5)  # The clock of the server may be behind that of the run.


def abort_unfinished(place: Place, keys: Collection[str], run: str) -> None:
    """Abort the uploads in parts of `keys` that were begun after `run`.

    Nothing is done if the AWS SDK is missing, or if the storage does not list such uploads: they
    are invisible, and do not create or change objects.

    Args:
        place: The bucket.
        keys: Keys in the bucket under which the run has recorded objects.
        run: The run, whose id contains the time of its start.
    """
    since = _began(run)
    if since is None:
        return
    try:
        session = import_module("boto3.session")  # An extra, without types.
        errors = import_module("botocore.exceptions")
        settings = import_module("botocore.config")
    except ImportError:
        return
    with suppress(errors.ClientError, errors.BotoCoreError):
        client = _client(session, settings)
        first, last = min(keys), max(keys)
        shared = os.path.commonprefix([first, last])  # noqa: RUF071 - of any texts, as here
        for each in _unfinished(client, place.bucket, shared):
            if each["Key"] in keys and each["Initiated"] >= since:
                client.abort_multipart_upload(
                    Bucket=place.bucket, Key=each["Key"], UploadId=each["UploadId"]
                )


def _client(session: Any, settings: Any) -> Any:
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), None)
    made = session.Session()
    config = settings.Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"max_attempts": 2},
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    region = made.region_name or "us-east-1"
    return made.client("s3", endpoint_url=endpoint, region_name=region, config=config)


def _unfinished(client: Any, bucket: str, prefix: str) -> Iterator[Any]:
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        yield from page.get("Uploads", [])


def _began(run: str) -> datetime | None:
    """Return when a run began, a little early; its id is a UUID that begins with the time."""
    try:
        parsed = uuid.UUID(run.partition(".")[0])
    except ValueError:
        return None
    if parsed.version != 7:
        return None
    return datetime.fromtimestamp((parsed.int >> 80) / 1000, UTC) - _SKEW

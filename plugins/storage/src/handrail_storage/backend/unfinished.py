"""Aborts uploads in parts that a killed process had begun.

The client for uploads cannot list them, so this uses the AWS SDK if it is installed.
"""

from __future__ import annotations

import os
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from handrail_storage.backend.clients import ENDPOINTS
from handrail_storage.backend.disk import FOLDER
from handrail_storage.places import Place

_SKEW = timedelta(minutes=5)  # The clock of the server may be behind that of the run.


def abort_unfinished(place: Place, keys: Iterable[str], run: str) -> None:
    """Abort the uploads in parts of `keys`, and of what is set aside, that were begun after `run`.

    Nothing is done if the AWS SDK is missing, or if the storage does not list such uploads: they
    are invisible, and do not create or change objects.

    Args:
        place: The bucket, and the prefix of all keys.
        keys: Keys in the bucket under which the run has recorded objects. They are read only if
            there is an upload.
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
        client, root = _client(session, settings), f"{place.path}/" if place.path else ""
        left = defaultdict[str, list[str]](list)
        for each in _unfinished(client, place.bucket, root):
            if each["Initiated"] >= since:
                left[each["Key"]].append(each["UploadId"])
        aside = re.compile(f"{re.escape(f'{root}{FOLDER}/aside/')}[^/]+/{re.escape(run)}/")
        ours = {key for key in left if aside.match(key)}
        if len(ours) < len(left):
            ours |= left.keys() & keys
        for key in ours:
            for upload in left[key]:
                client.abort_multipart_upload(Bucket=place.bucket, Key=key, UploadId=upload)


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

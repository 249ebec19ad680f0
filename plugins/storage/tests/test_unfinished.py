"""Uploads in parts that nobody completes: only those that a run may have begun are aborted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handrail_storage import parse_place
from handrail_storage.backend import unfinished

OTHER = "01a21588-73da-7b94-93db-d52d384639e0"
RUN = "01a21588-73da-7b94-93db-d52d384639df"
BEGAN = datetime.fromtimestamp(0x01A2158873DA / 1000, UTC)
TARGET = parse_place("s3://bucket/data")


class Client:
    """Lists some uploads, and keeps which were aborted."""

    def __init__(self, *uploads: tuple[str, datetime]) -> None:
        self.uploads = uploads
        self.aborted: list[str] = []

    def get_paginator(self, _name: str) -> Client:
        return self

    def paginate(self, **_options: Any) -> Any:
        for key, begun in self.uploads:
            yield {"Uploads": [{"Key": key, "Initiated": begun, "UploadId": f"id of {key}"}]}

    def abort_multipart_upload(self, **given: Any) -> None:
        self.aborted.append(given["UploadId"])


def aside_of(run: str) -> str:
    return f"data/.handrail-target/aside/0123456789abcdef/{run}/some/key"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    pytest.importorskip("boto3")
    hour = timedelta(hours=1)
    made = Client(("a", BEGAN + hour), ("b", BEGAN - hour), ("c", BEGAN + hour))
    made.uploads += tuple((aside_of(run), BEGAN + hour) for run in (RUN, OTHER))
    monkeypatch.setattr(unfinished, "_client", lambda *_modules: made)
    return made


def test_only_recorded_keys_and_only_what_was_begun_after_the_run_is_aborted(
    client: Client,
) -> None:
    unfinished.abort_unfinished(TARGET, ["a", "b"], RUN)
    assert sorted(client.aborted) == ["id of a", f"id of {aside_of(RUN)}"]


def test_keys_are_read_only_if_there_is_something_to_abort(client: Client) -> None:
    """There may be millions."""

    def keys() -> Iterator[str]:
        raise AssertionError("they were read")
        yield ""

    client.uploads = client.uploads[3:4]
    unfinished.abort_unfinished(TARGET, keys(), RUN)
    assert client.aborted == [f"id of {aside_of(RUN)}"]


@pytest.mark.parametrize("run", ["not-a-uuid", "9f0c1d7e-8a58-4c0e-9a3e-1f0e4f2b6c11"])
def test_nothing_is_aborted_for_a_run_that_does_not_tell_when_it_began(
    client: Client, run: str
) -> None:
    unfinished.abort_unfinished(TARGET, ["a"], run)
    assert client.aborted == []

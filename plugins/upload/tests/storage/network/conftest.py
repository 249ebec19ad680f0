"""A bucket behind a wire, which sees every request, and can fail or answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from servers.wire import LOST, Answer, Wire

from handrail_upload.storage import Storage, open_storage


@pytest.fixture
def wire(open_wire: Callable[[str], Wire]) -> Wire:
    """A wire before moto."""
    return open_wire("moto")


@pytest.fixture
def answer() -> type[Answer]:
    """What a rule answers."""
    return Answer


@pytest.fixture
def lost() -> Answer:
    """What a rule answers to close the connection."""
    return LOST


@pytest.fixture
def bucket(moto: Any) -> str:
    """An empty bucket of moto."""
    return moto.bucket()


@pytest.fixture
def storage(wire: Wire, bucket: str) -> Storage:
    """A bucket behind `wire`, probed; each request is tried three times at most."""
    opened = open_storage(f"s3://{bucket}/deep", retries=2)
    opened.probe(".handrail-probe", "0198-run/upload_files")
    wire.requests.clear()
    return opened

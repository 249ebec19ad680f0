"""What the tests of claims share: the model of them, and runs that go one request at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


class InTurn:
    """Does at once, and in order, what is otherwise done side by side."""

    def __init__(self, most: int) -> None:
        self._most = most

    def __enter__(self) -> InTurn:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, call: Callable[[Any], Any], things: Any) -> Iterator[Any]:
        return map(call, things)


@pytest.fixture(autouse=True)
def the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are counted, and requests of one process come one after the other."""
    count = iter(range(1 << 60))

    def new_name() -> str:
        return f"{next(count):016x}"

    for module in ("claims", "claim", "records"):
        target = f"handrail_storage.claims.{module}"
        monkeypatch.setattr(f"{target}.new_name", new_name, raising=False)
    monkeypatch.setattr("handrail_storage.claims.ledger.new_name", new_name)
    monkeypatch.setattr("handrail_storage.claims.ledger.ThreadPoolExecutor", InTurn)

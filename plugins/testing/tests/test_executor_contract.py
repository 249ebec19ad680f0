"""The contract of executors, which those of this machine pass."""

from __future__ import annotations

from typing import Any

import pytest

from handrail_testing import ExecutorContract
from handrail_workers.executors import slot


class TestThreads(ExecutorContract):
    """Slots that are threads."""

    factory = "handrail_workers.executors.opening:make_local"
    url = "threads:2"


@pytest.mark.slow
class TestProcesses(ExecutorContract):
    """Slots that are processes."""

    factory = "handrail_workers.executors.opening:make_local"
    url = "processes:2"

    @pytest.fixture(autouse=True)
    def soon_frozen(self, monkeypatch: Any) -> None:
        """A process that says nothing for five seconds is frozen."""
        monkeypatch.setattr(slot, "_SILENT", 5)
        monkeypatch.setattr(slot, "_GRACE", 0.1)

"""What every executor promises, of this one; its workers are killed, stopped, and left behind."""

from __future__ import annotations

import os

import pytest

from handrail_testing.executor_contract import ExecutorContract


@pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="takes two minutes")
@pytest.mark.usefixtures("cluster", "journal_url")
class TestExecutor(ExecutorContract):
    factory = "handrail_ray:make_executor"
    url = "ray:2"
    host = "ray_host:JournalHost"
    through_host = False

    @pytest.fixture(autouse=True)
    def hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Do not wait long for workers that say nothing."""
        monkeypatch.setattr("handrail_ray.executor.BEAT", 0.5)
        monkeypatch.setattr("handrail_ray.executor.PATIENCE", 15.0)
        monkeypatch.setattr("handrail_ray.executor.SILENT", 20.0)

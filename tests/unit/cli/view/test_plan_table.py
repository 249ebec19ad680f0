"""The line of a plan about the limits of a step and its undo policy."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import StepRegistry, step
from handrail.builtin.cli.commands.plan import limits_text
from handrail.plan.builder import plan_of_registry


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, ""),
        ({"timeout": 30}, "timeout 30s"),
        (
            {"timeout": 0.5, "heartbeat_timeout": 60, "isolated": True, "memory": "2GB"},
            "timeout 0.5s, heartbeat timeout 60s, isolated, memory 2GB",
        ),
        ({"rollback_timeout": 5}, "undo timeout 5s"),
        ({"rollback_retries": 1}, "undo retried once after 1s"),
        ({"rollback_retries": 3, "rollback_wait": 2}, "undo retried 3 times, first after 2s"),
    ],
)
def test_limits_are_told_in_words(values: dict[str, Any], told: str) -> None:
    """With their units, and only what differs from the defaults."""

    @step(**values)
    def work(context: Any) -> None: ...

    registry = StepRegistry[Any]()
    registry.register(work)
    assert limits_text(registry.compiled(plan_of_registry).steps[0]) == told

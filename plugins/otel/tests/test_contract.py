"""The pack keeps the promises of every pack."""

from __future__ import annotations

from handrail_testing import PackContract


class TestContract(PackContract):
    """What it promises."""

    distribution = "handrail-otel"

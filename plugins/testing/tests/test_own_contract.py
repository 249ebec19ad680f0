"""It keeps the contract of packs itself."""

from __future__ import annotations

from handrail_testing import PackContract


class TestContract(PackContract):
    distribution = "handrail-testing"

"""What every pack promises, of this one: it offers a command only, so it is about importing it."""

from __future__ import annotations

from handrail_testing import PackContract


class TestContract(PackContract):
    distribution = "handrail-web"

"""What every pack promises, of this one."""

from __future__ import annotations

from handrail_testing import PackContract


class TestContract(PackContract):
    distribution = "handrail-report"

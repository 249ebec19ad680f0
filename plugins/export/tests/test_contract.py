"""What every pack promises, of this one.

Its steps depend on each other, so their rollback data is tested with whole exports, not here.
"""

from __future__ import annotations

from handrail_testing import PackContract


class TestContract(PackContract):
    distribution = "handrail-export"

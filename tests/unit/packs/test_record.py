"""The range of core that a pack needs is read from its requirements."""

from __future__ import annotations

import pytest

import handrail
from handrail.packs import PackRecord


@pytest.mark.parametrize(
    ("requires", "unmet"),
    [
        ((), ""),
        (("handrail",), ""),
        (("Handrail >=0.1, <0.4",), ""),
        (("handrail<0.2",), "<0.2"),
        (("x>9", "handrail (>=0.4)"), ">=0.4"),
        (("handrail[cli] >= 0.4",), ">= 0.4"),
        (("handrail @ https://example.org/handrail.zip",), ""),
        (("handrail>=9; extra == 'dev'",), ""),
        (("handrail>=9; python_version < '3'",), ""),
        (("handrail>=0.3", "handrail==7.*"), "==7.*"),
        (("handrail-upload>=9", "handrail.upload>=9"), ""),
        (("HANDRAIL~=0.2.0",), "~=0.2.0"),
        (("", ";", "handrail what", "handrail; python", "handrail >= 1; ("), ""),
    ],
)
def test_the_first_range_that_this_core_is_not_in(requires, unmet, monkeypatch):
    """Neither a range with a condition counts, nor others' names, nor what cannot be read."""
    monkeypatch.setattr(handrail, "__version__", "0.3.1")
    assert PackRecord(id="acme", name="acme", requires=requires).unmet == unmet

"""A pack's metadata says which core it wants, as installers read it."""

from __future__ import annotations

import pytest

import handrail
from handrail.packs.requirements import unmet_range
from handrail.settings.requirements import fits


@pytest.mark.parametrize(
    ("requires", "unmet"),
    [
        ((), ""),
        (("handrail",), ""),
        (("Handrail >=0.1, <0.4",), ""),
        (("handrail<0.2",), "<0.2"),
        (("x>9", "handrail (>=0.4)"), ">=0.4"),
        (("handrail[cli] >= 0.4",), ">=0.4"),
        (("handrail @ https://example.org/handrail.zip",), ""),
        (("handrail>=9; extra == 'dev'",), ""),
        (("handrail>=9; python_version < '3'",), ""),
        (("handrail>=9; python_version > '3'",), ">=9"),
        (("handrail>=0.3; python_version > '3'", "handrail==7.*"), "==7.*"),
        (("handrail-upload>=9", "handrail.upload>=9"), ""),
        (("HANDRAIL~=0.2.0",), "~=0.2.0"),
        (("", ";", "handrail what", "handrail; python", "handrail >= 1; ("), ""),
    ],
)
def test_the_first_range_that_this_core_is_not_in(requires, unmet, monkeypatch):
    """Conditions count, others' names do not, and what cannot be read asks for nothing."""
    monkeypatch.setattr(handrail, "__version__", "0.3.1")
    assert unmet_range(requires) == unmet


@pytest.mark.parametrize(
    ("version", "specifiers", "expected"),
    [
        ("0.3.0rc1", ">=0.2", True),
        ("0.3.0rc1", ">=0.3", False),
        ("0.2.0.dev3", ">=0.1,<0.2", False),
        ("0.1.0+local", "==0.1", True),
        ("1.4", "~=1.2", True),
        ("2.0", "~=1.2", False),
        ("1.0", "", True),
        ("what", "", True),
        ("what", ">=1", False),
        ("", "<9", False),
    ],
)
def test_what_people_mean(version, specifiers, expected):
    """The usual ranges mean what people expect, pre-releases included."""
    assert fits(version, specifiers) is expected


def test_a_range_that_cannot_be_read_is_refused():
    """It is a ValueError that quotes the range."""
    with pytest.raises(ValueError, match=">=x"):
        fits("1.0", ">=x")

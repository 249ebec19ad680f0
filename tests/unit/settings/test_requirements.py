"""Ranges of versions that a project, a policy or a pack requires."""

from __future__ import annotations

import pytest

from handrail.packs.record import fits


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

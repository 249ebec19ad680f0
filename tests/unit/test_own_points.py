"""What core itself offers, by its metadata."""

from __future__ import annotations

import pytest

from handrail import own_points
from handrail.errors import PackError


def test_core_without_metadata_says_how_to_install_it(monkeypatch):
    """As where its sources are only on the path."""
    monkeypatch.setattr(own_points, "CORE", "handrail-is-not-installed")
    with pytest.raises(PackError) as caught:
        own_points.own_points.__wrapped__()
    assert caught.value.ways_out

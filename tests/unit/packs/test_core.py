"""What core itself offers, by its metadata."""

from __future__ import annotations

import pytest

from handrail.errors import PackError
from handrail.packs import record


def test_core_without_metadata_says_how_to_install_it(monkeypatch):
    """As where its sources are only on the path."""
    monkeypatch.setattr(record, "CORE", "handrail-is-not-installed")
    with pytest.raises(PackError) as caught:
        record.core_record.__wrapped__()
    assert caught.value.ways_out

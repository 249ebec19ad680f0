"""What workers write to the journal by themselves has no secrets that they have, too."""

from __future__ import annotations

import pytest

from handrail.errors import RollbackDataError
from handrail_workers import Note, masked


def test_values_are_masked_and_keys_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever in a value a secret is; and passwords of URLs, which are known by their form."""
    monkeypatch.setenv("ACME_TOKEN", "open-sesame")
    monkeypatch.setenv("ACME_HOME", "elsewhere")
    without = masked(["ACME_TOKEN", "NOT_SET_HERE"])
    values = [{"at": ["open-sesame", 3]}, "elsewhere", "s3://ada:pw@host/x"]
    [note] = without([Note(0, "made", values)])
    assert note == Note(
        0, "made", [{"at": ["**********", 3]}, "elsewhere", "s3://ada:**********@host/x"]
    )
    with pytest.raises(RollbackDataError, match="under a key with a secret in it"):
        without([Note(0, "by open-sesame", [])])


def test_without_secrets_a_note_stays_as_it_is() -> None:
    note = Note(1, "made", ["a", {"b": None}])
    assert masked([])([note]) == [note]

"""What an undo has put back is what was uploaded, also where it gets another ETag."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handrail_upload.manifest import SENT, Manifest
from handrail_upload.verification import Verification

ASIDE = ".handrail-target/aside/0123/0198-run/a"


@pytest.mark.parametrize("place", ["memory", "azurite"], indirect=True)
def test_what_was_put_back_is_verified_by_its_recorded_digest(
    place: Any, source: Any, sending: Any, tmp_path: Path
) -> None:
    """Its own content, and not that of somebody who has written as many bytes there."""
    file, storage = source("a", b"first"), place.storage
    put = storage.put(file, sending())
    manifest = Manifest(tmp_path / "manifest")
    manifest.add([file])
    (found,) = manifest.files()
    manifest.update([found.settled(SENT, put.sha256, put.etag, put.version, put.size)])

    def differences() -> list[str]:
        catalogue: Any = SimpleNamespace(units=lambda _collection: iter(()))
        verification = Verification(manifest=manifest, storage=storage, catalogue=catalogue)
        return [each.what for each in verification.differences() if each.where == "target"]

    storage.set_aside("a", ASIDE)
    second = storage.put(source("a", b"other"), sending(mark="another/run"), storage.stat("a"))
    assert differences() == ["it was written anew since"]
    assert storage.put_over(ASIDE, "a", second)
    assert storage.stat("a").etag != put.etag
    assert differences() == []
    place.leave("a", b"their")
    assert differences() == ["it was written anew since"]
    manifest.close()

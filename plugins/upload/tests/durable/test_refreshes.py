"""Uploads that replace files of earlier ones: each undo gives back what was there before it."""

from __future__ import annotations

import hashlib
import signal
from itertools import permutations
from typing import Any

import pytest

KILLED = -signal.SIGKILL

pytestmark = pytest.mark.slow

# radosgw with its SQLite backend may mix up the parts of an object.
sound = pytest.mark.parametrize("scene", ["local-sqlite", "moto-postgres"], indirect=True)


def there(scene: Any) -> dict[str, Any]:
    """Return the content of each file at the target, and what is registered of it."""
    stamps = scene.place.stamps()
    keys = {key.removeprefix("data/") for key, what in stamps.items() if what != "folder"}
    rows = scene.catalogue.rows() or {}
    files = {row[3:9] for row in rows.get("handrail_data_file", ())}
    content = {key: scene.place.content(key) for key in keys}
    for _, _, key, size, sha256, _ in files:
        found = len(content[key]), hashlib.sha256(content[key]).hexdigest()
        assert found == (size, sha256), key
    return {"content": content, "files": files}


@pytest.fixture
def refreshed(scene: Any, make_upload: Any, fill: Any) -> Any:
    """Upload 12 files and a large one, then change one of each, and add one."""
    fill(scene, 12)
    first = make_upload(scene)
    assert first.do("run")["success"]
    before = there(scene)
    change(scene, 2)
    scene.write("new.txt", b"new")
    return first, before


def change(scene: Any, version: int) -> None:
    scene.write("0003.txt", b"version %d" % version)
    content = (scene.source / "deep/down/large.bin").read_bytes()
    scene.write("deep/down/large.bin", b"%d" % version + content[1:])


def test_a_refresh_is_undone(scene: Any, make_upload: Any, refreshed: Any) -> None:
    first, before = refreshed
    second = make_upload(scene, if_exists="overwrite")
    answer = second.do("run")
    assert (answer["uploaded_files"], answer["unchanged_files"]) == (3, 11)
    assert (answer["replaced"]["files"], answer["replaced"]["kept"]) == (2, True)
    assert scene.place.content("0003.txt") == b"version 2"
    assert "error" not in second.do("rollback")
    assert second.outcome == "rolled_back"
    assert there(scene) == before
    assert "error" not in first.do("rollback")
    assert not scene.catalogue.rows()
    assert not [key for key in scene.place.objects() if "/aside/" in key]


@sound
@pytest.mark.parametrize("call", ["set_aside", "put"])
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_a_refresh_that_was_killed(
    scene: Any, make_upload: Any, refreshed: Any, call: str, nth: int, way: str
) -> None:
    _, before = refreshed
    second = make_upload(scene, if_exists="overwrite", transfers=1)
    assert second.do("run", call=call, nth=nth, when="after")["code"] == KILLED
    if way == "resume":
        answer = second.do("resume")
        assert "error" not in answer, answer
        assert scene.place.content("0003.txt") == b"version 2"
        assert len(there(scene)["files"]) == 14
    assert "error" not in second.do("rollback")
    assert there(scene) == before


@sound
@pytest.mark.parametrize(
    "order", [*permutations(range(3))], ids=lambda order: "".join(map(str, order))
)
def test_a_refresh_of_a_refresh_is_undone_in_any_order(
    scene: Any, make_upload: Any, refreshed: Any, order: tuple[int, ...]
) -> None:
    """What is there is always what the latest run that still stands has put there."""
    first, before = refreshed
    second = make_upload(scene, if_exists="overwrite")
    assert second.do("run")["success"]
    versions = [before, there(scene)]
    change(scene, 3)
    third = make_upload(scene, if_exists="overwrite")
    assert third.do("run")["success"]
    versions.append(there(scene))
    assert versions[0] != versions[1] != versions[2]
    standing = [0, 1, 2]
    for number in order:
        assert "error" not in (first, second, third)[number].do("rollback")
        standing.remove(number)
        if standing:
            assert there(scene) == versions[max(standing)]
    assert not scene.catalogue.rows()
    assert set(there(scene)["content"]) == {"others/kept.txt"}
    assert not [key for key in scene.place.objects() if "/aside/" in key]

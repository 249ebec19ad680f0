"""Two uploads at a time, of the same source to the same target."""

from __future__ import annotations

import pytest


def check(scene, tools, processes, before, names):
    """All ended well or with a clear conflict; what is there is complete, or nothing is."""
    ends = [tools.ended(process) for process in processes]
    for done in ends:
        assert done.code in (0, 3), done.err
        assert "Traceback" not in done.err
        if done.code == 3:
            assert "on the same keys" in done.error
    if all(done.code for done in ends):
        assert scene.world() == before
        return
    for name in names:
        assert scene.place.content(name) == (scene.source / name).read_bytes()
    ours = {key.removeprefix("data/") for key in scene.place.stamps()}
    assert {key for key in ours if "tmp" in key or "probe" in key or "aside" in key} == set()
    rows = scene.catalogue.rows()
    assert sorted(row[2] for row in rows["handrail_data_unit"]) == sorted(names)
    assert sorted(row[3] for row in rows["handrail_data_file"]) == sorted(names)
    assert len(rows["handrail_collection"]) == 1


@pytest.mark.parametrize("number", range(3))
def test_same_source(scene, tools, number):
    """The one that comes while the other works is refused; each unit is registered once."""
    scene.fill(60)
    before = scene.world()
    processes = [scene.start_upload("--transfers", 2) for _ in range(2)]
    check(scene, tools, processes, before, [path.name for path in scene.source.iterdir()])


def test_same_source_with_patience(scene, tools):
    """Whoever waits finds what the other has sent."""
    scene.fill(60)
    waiting = ("--transfers", 2, "--claim-wait", "2m")
    ends = [tools.ended(each) for each in [scene.start_upload(*waiting) for _ in range(3)]]
    assert [done.code for done in ends] == [0, 0, 0], "\n".join(done.err for done in ends)
    rows = scene.catalogue.rows()
    assert len(rows["handrail_data_file"]) == 60
    for path in scene.source.iterdir():
        assert scene.place.content(path.name) == path.read_bytes()


def test_different_content_under_the_same_keys(scene, tools):
    """Each key has the content of one of them, and who lost takes nothing of who won."""
    scene.fill(60)
    other = scene.folder / "other"
    other.mkdir()
    for path in scene.source.iterdir():
        (other / path.name).write_bytes(b"other " + path.read_bytes())
    where = ("--catalogue", scene.catalogue.url, "--collection", "photos")
    processes = [
        scene.start("run", "upload", source, scene.place.url, *where)
        for source in (scene.source, other)
    ]
    ends = [tools.ended(process) for process in processes]
    codes = [done.code for done in ends]
    for done in ends:
        assert done.code in (0, 1, 3), done.err
        assert "Traceback" not in done.err
    assert codes.count(0) == 1, "\n".join(done.err for done in ends)
    winner = (scene.source, other)[codes.index(0)]
    for path in winner.iterdir():
        assert scene.place.content(path.name) == path.read_bytes()
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 60


@pytest.mark.parametrize("scene", ["local-sqlite", "radosgw-postgres"], indirect=True)
def test_different_sources_into_one_catalogue(scene, tools):
    """Two collections, one target, one catalogue that neither finds there: both are complete."""
    scene.fill(60)
    other = scene.folder / "other"
    other.mkdir()
    for number in range(60):
        (other / f"other-{number}.txt").write_bytes(b"other %d" % number)
    place = (scene.place.url, "--catalogue", scene.catalogue.url, "--collection")
    processes = [
        scene.start("run", "upload", source, *place, source.name)
        for source in (scene.source, other)
    ]
    for process in processes:
        done = tools.ended(process)
        assert done.code == 0, done.err
    rows = scene.catalogue.rows()
    assert len(rows["handrail_data_file"]) == 120
    assert len(rows["handrail_collection"]) == 2

"""The index file saves time, and is used only when it matches what is installed."""

from __future__ import annotations

import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handrail.packs.index import FORMAT, index_file, read_index


def warm(garden):
    """Read the index twice, and return whether the second time believed the first."""
    first = read_index(garden.path, cache=garden.cache).records
    file = garden.index
    before = file.stat().st_ino if file.exists() else None
    assert read_index(garden.path, cache=garden.cache).records == first
    return before is not None and file.stat().st_ino == before


def test_index_is_kept_and_believed(garden, settled):
    """An index that fits what is installed is read, not made again."""
    garden.plant()
    assert warm(garden)


def test_index_of_fresh_changes_is_not_kept(garden):
    """Right after a change nothing is kept, since a second change might leave no trace."""
    garden.plant()
    read_index(garden.path, cache=garden.cache)
    assert not garden.index.exists()


def test_a_clock_that_was_set_back_is_not_trusted(garden, monkeypatch):
    """What has changed in the future is not kept: the clock will come by the same time again."""
    garden.plant()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    read_index(garden.path, cache=garden.cache)
    assert not garden.index.exists()
    monkeypatch.setattr(time, "time_ns", lambda: now + 3600 * 10**9)
    read_index(garden.path, cache=garden.cache)
    assert garden.index.exists()


CHANGES = {
    "install": lambda garden, plant: garden.plant("acme-webp"),
    "uninstall": lambda garden, plant: plant.uproot(),
    "upgrade": lambda garden, plant: (plant.uproot(), garden.plant(version="1.5.0")),
    "edit entry points": lambda garden, plant: plant.entry_points.write_text(
        "[handrail.steps]\nother = acme_scan.steps:Other\n"
    ),
    "edit entry points, same size and time": lambda garden, plant: same_size(plant.entry_points),
    "edit metadata": lambda garden, plant: plant.metadata.write_text(
        "Metadata-Version: 2.1\nName: acme-scan\nVersion: 1.4.0\nRequires-Dist: handrail>=7\n"
    ),
    "lose a module": lambda garden, plant: plant.modules[1].unlink(),
    "lose the metadata": lambda garden, plant: plant.metadata.unlink(),
    "lose the entry points": lambda garden, plant: plant.entry_points.unlink(),
    "half remove": lambda garden, plant: shutil.rmtree(garden.site / "acme_scan"),
    "lock the metadata": lambda garden, plant: (plant.metadata.unlink(), plant.metadata.mkdir()),
}


def same_size(file):
    """Change a file in place, and hide it from whoever looks at size and time only."""
    found = file.stat()
    file.write_text(file.read_text().replace("scan_files", "scan_filed"))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(garden, settled, tick, change):
    """After each kind of change the index tells what is installed then."""
    plant = garden.plant()
    garden.plant("acme-other", points={"x.y": {"a": "b"}})
    assert warm(garden)
    before = read_index(garden.path, cache=garden.cache).records
    tick()
    CHANGES[change](garden, plant)
    after = read_index(garden.path, cache=garden.cache).records
    assert after == read_index(garden.path, cache=None).records
    assert after != before


def test_editable_install_is_noticed(garden, tmp_path):
    """A folder that a `.pth` file adds to the path is a new path, and gets its own index."""
    source = tmp_path / "src"
    garden.plant(site=source)
    code = f"""
        import site
        site.addsitedir({str(garden.site)!r})
        from handrail.packs.index import read_index
        print([record.id for record in read_index().records])
    """
    assert garden.run(code) == "[]\n"
    (garden.site / "acme.pth").write_text(f"{source}\n")
    assert garden.run(code) == "['acme-scan']\n"


def test_a_becoming_pack_is_noticed(garden, settled, tick):
    """A distribution that gets entry points only later is listed from then on."""
    plant = garden.plant(points={"x.y": {"a": "acme_scan.steps"}})
    assert warm(garden)
    assert read_index(garden.path, cache=garden.cache).records == ()
    tick()
    plant.entry_points.write_text("[handrail.steps]\nscan = acme_scan.steps:ScanFiles\n")
    assert len(read_index(garden.path, cache=garden.cache).records) == 1


SPOILS = {
    "empty": lambda raw: b"",
    "truncated": lambda raw: raw[: len(raw) // 2],
    "one bit": lambda raw: raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:],
    "version": lambda raw: raw.replace(b"1.4.0", b"6.6.6"),
    "another format": lambda raw: raw.replace(b"index %d" % FORMAT, b"index %d" % (FORMAT - 1)),
    "no text": lambda raw: os.urandom(500),
    "other JSON": lambda raw: b"[]\n{}",
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_damaged_index_is_made_again(garden, settled, spoil):
    """An index that is damaged, cut off or of another format is not believed but replaced."""
    garden.plant()
    first = read_index(garden.path, cache=garden.cache).records
    file = garden.index
    good = file.read_bytes()
    file.write_bytes(SPOILS[spoil](good))
    assert read_index(garden.path, cache=garden.cache).records == first
    assert file.read_bytes() == good


@pytest.mark.parametrize("place", ["kept.parent is a file", "kept is a folder"])
def test_index_that_cannot_be_written_is_done_without(garden, settled, place):
    """Where no index can be kept, the packs are listed all the same."""
    garden.plant()
    if "parent" in place:
        garden.cache.write_text("")
    else:
        garden.index.mkdir(parents=True)
    for _ in range(2):
        assert len(read_index(garden.path, cache=garden.cache).records) == 1


def test_index_is_replaced_whole(garden, settled, monkeypatch):
    """An index takes its place in one step, and nothing half written stays behind."""
    garden.plant()

    def refuse(source, target):
        raise PermissionError(target)

    monkeypatch.setattr(os, "replace", refuse)
    assert len(read_index(garden.path, cache=garden.cache).records) == 1
    assert list(garden.cache.iterdir()) == []


def test_a_module_that_turns_up_is_noticed(garden, settled, tick, monkeypatch):
    """A pack whose module was nowhere is whole again as soon as the module is there."""
    monkeypatch.setattr("handrail.packs.module_finder._other_finders", lambda: False)
    garden.plant(points={"steps": {"scan": "acme_later:Scan"}})
    for _ in range(2):
        (record,) = read_index(garden.path, cache=garden.cache).records
        assert record.status == "broken"
    tick()
    (garden.site / "acme_later.py").write_text("")
    (record,) = read_index(garden.path, cache=garden.cache).records
    assert record.status == "on"


def test_another_core_does_not_believe_it(garden, settled, monkeypatch):
    """An index that another version of the core has kept is made again."""
    garden.plant()
    assert warm(garden)
    file = garden.index
    before = file.read_bytes()
    monkeypatch.setattr("handrail.__version__", "99.0")
    read_index(garden.path, cache=garden.cache)
    assert file.read_bytes() != before


def test_many_at_once(garden, settled):
    """Many readers at once, each making the index, all get the whole truth and leave no drafts."""
    garden.plant()
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda _: read_index(garden.path, cache=garden.cache).records, range(32))
        )
    assert len(set(found)) == 1
    assert [file.name for file in garden.cache.iterdir()] == [garden.index.name]


@pytest.fixture
def few(monkeypatch):
    """Keep four indexes at most."""
    monkeypatch.setattr("handrail.packs.index.KEPT", 4)


def test_only_the_latest_are_kept(garden, settled, few):
    """Of many paths the indexes that were made last stay; files of others are left alone."""
    garden.plant()
    garden.cache.mkdir()
    (garden.cache / "notes.txt").write_text("mine")
    left = Path(f"{index_file(garden.cache, ['/another'])}.1-1")
    left.write_text("a draft of a process that was killed")
    os.utime(left, (0, 0))
    paths = [[*garden.path, f"/nowhere/{number}"] for number in range(9)]
    for path in paths:
        read_index(path, cache=garden.cache)
    names = {Path(index_file(garden.cache, path)).name for path in paths[-4:]}
    assert {file.name for file in garden.cache.iterdir()} == {*names, "notes.txt"}


def test_many_paths_at_once(garden, settled, few):
    """Many that keep and prune at the same time all get the truth, and leave the latest."""
    garden.plant()
    paths = [[*garden.path, f"/nowhere/{number}"] for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: read_index(path, cache=garden.cache).records, paths))
    assert len(set(found)) == 1
    assert len(list(garden.cache.iterdir())) == 4


def test_default_cache_follows_the_environment(garden):
    """The index goes to HANDRAIL_CACHE, else to the user's folder for caches; empty is nowhere."""
    from handrail.packs.index import default_folder

    assert str(default_folder({"HANDRAIL_CACHE": "/a"})) == "/a"
    assert default_folder({"HANDRAIL_CACHE": ""}) is None
    assert str(default_folder({"XDG_CACHE_HOME": "/b"})) == "/b/handrail"
    assert default_folder({"XDG_CACHE_HOME": "relative"}) is None
    assert str(default_folder({})).endswith("/.cache/handrail")


def test_other_finders_are_asked_and_nothing_is_kept(garden, monkeypatch):
    """A finder of distributions that we do not know is asked each time, and no index is kept."""
    import importlib_metadata

    garden.plant()
    planted = list(importlib_metadata.distributions(path=garden.path))

    class Finder(importlib_metadata.DistributionFinder):
        def find_spec(self, name, path=None, target=None):
            return None

        def find_distributions(self, context=None):
            return iter(planted)

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    found = {record.id for record in read_index(cache=garden.cache).records}
    assert "acme-scan" in found
    assert not garden.cache.exists()


def test_a_plugin_of_pydantic_is_known_from_the_index(garden, settled, tick):
    """Of any distribution, pack or not; also where its entry points are written later."""
    plant = garden.plant("acme-watch", points={"x.y": {"a": "acme_watch:a"}})
    assert warm(garden)
    assert read_index(garden.path, cache=garden.cache).plugin_free == garden.path
    tick()
    plant.entry_points.write_text("[ pydantic ]\na = acme_watch:a\n")
    assert read_index(garden.path, cache=garden.cache).plugin_free is None
    assert read_index(garden.path, cache=None).plugin_free is None


def test_what_extends_a_pack_is_known_from_the_index(garden, settled, tick, monkeypatch):
    """In the groups of its package, of any distribution; those of others are not kept."""
    garden.plant("acme-scan")
    plant = garden.plant(
        "Acme-Signs",
        points={"x": {"a": "b"}, "acme_scan.signs": {"eicar": "acme_signs:EICAR"}, "x.y": {}},
        modules={"acme_signs.py": "EICAR = 'X5O'\n"},
    )
    assert warm(garden)
    assert read_index(garden.path, cache=garden.cache) == read_index(garden.path, cache=None)
    (found,) = read_index(garden.path, cache=garden.cache).extensions
    assert (found.distribution, found.group) == ("Acme-Signs", "acme_scan.signs")
    assert (found.name, found.value) == ("eicar", "acme_signs:EICAR")
    monkeypatch.syspath_prepend(garden.site)
    assert found.load() == "X5O"
    tick()
    plant.entry_points.write_text("[acme_scan.signs]\nzip = acme_signs:ZIP\n")
    assert [each.name for each in read_index(garden.path, cache=garden.cache).extensions] == ["zip"]


def test_a_distribution_that_is_hidden_extends_nothing(garden, tmp_path):
    garden.plant("acme-scan")
    points = {"acme_scan.signs": {"eicar": "acme_signs:EICAR"}}
    garden.plant("acme-signs", points={"x.y": {"a": "b"}})
    garden.plant("acme-signs", "2.0", points=points, site=tmp_path / "behind")
    path = [*garden.path, str(tmp_path / "behind")]
    assert read_index(path, cache=None).extensions == ()
    assert len(read_index(path[::-1], cache=None).extensions) == 1

"""Discovery reads every installed pack, damaged ones too, and only those that are there."""

from __future__ import annotations

import sys
import zipfile
from importlib.machinery import ModuleSpec

import pytest

from handrail.packs.discovery import read_packs


def only(garden):
    (record,) = read_packs(garden.path)
    return record


def test_record_tells_what_the_metadata_says(garden):
    """A record has name, version, summary, requirements, place and entry points of our groups."""
    garden.plant(
        "Acme_Scan",
        "1.4.0",
        points={
            "packs": {"scan": "acme_scan.hooks"},
            "actions": {"scan": "acme_scan.action:Scan"},
            "steps": {"scan_files": "acme_scan.steps:ScanFiles"},
            "commands": {"scan": "acme_scan.cli:scan [extra]"},
            "console.scripts": {"scan": "acme_scan.cli:main"},
        },
        modules={
            "acme_scan/__init__.py": "",
            **{f"acme_scan/{name}.py": "" for name in ("hooks", "action", "steps", "cli")},
        },
    )
    record = only(garden)
    assert (record.id, record.name, record.version) == ("acme-scan", "Acme_Scan", "1.4.0")
    assert (record.summary, record.requires) == ("Refuse infected files", ("handrail>=0.1",))
    assert (record.status, record.why, record.problems) == ("on", "installed", ())
    assert record.location == str(garden.site)
    assert record.modules == tuple(f"acme_scan.{n}" for n in ("hooks", "action", "steps", "cli"))
    assert [entry.name for entry in record.offered("actions")] == ["scan"]
    assert record.names == ("acme-scan", "scan")
    (command,) = record.offered("commands")
    assert (command.module, command.attribute) == ("acme_scan.cli", "scan")
    assert len(record.entry_points) == 4
    assert str(record.origin) == "acme-scan 1.4.0"


@pytest.mark.parametrize(
    "group", ["packs", "actions", "steps", "commands", "journals", "executors", "policy", "prune"]
)
def test_any_of_our_groups_makes_a_pack(garden, group):
    """Each of our groups makes a distribution a pack; others do not."""
    garden.plant(points={group: {"x": "acme_scan.steps"}})
    garden.plant("other", points={"other.handrail": {"x": "other"}}, modules={"other.py": ""})
    assert [record.id for record in read_packs(garden.path)] == ["acme-scan"]


def test_a_listing_goes_on_where_a_record_is_no_table(garden):
    """Its modules are there, so the pack can be used."""
    garden.plant().record.write_text('"' + "a" * 200_000)
    assert [record.status for record in read_packs(garden.path)] == ["on"]


def test_core_is_no_pack():
    """The core itself is not listed, though its metadata mentions its own name."""
    assert "handrail" not in [record.id for record in read_packs()]


DAMAGE = {
    "entry points are a folder": (
        lambda plant: (plant.entry_points.unlink(), plant.entry_points.mkdir()),
        "entry_points.txt is missing",
    ),
    "entry points are not UTF-8": (
        lambda plant: plant.entry_points.write_bytes(b"[handrail.steps]\nscan_files = a:\xff\n"),
        "entry_points.txt cannot be read: 'utf-8' codec",
    ),
    "entry points are gone": (
        lambda plant: plant.entry_points.unlink(),
        "entry_points.txt is missing",
    ),
    "metadata is a folder": (
        lambda plant: (plant.metadata.unlink(), plant.metadata.mkdir()),
        "METADATA ",
    ),
    "metadata is not UTF-8": (
        lambda plant: plant.metadata.write_bytes(b"Name: \xff\xfe\n"),
        "METADATA cannot be read: 'utf-8' codec",
    ),
    "metadata is gone": (lambda plant: plant.metadata.unlink(), "METADATA "),
    "metadata has no name": (
        lambda plant: plant.metadata.write_text("Metadata-Version: 2.1\nVersion: 1.4.0\n"),
        "METADATA has no Name",
    ),
    "a file is gone": (
        lambda plant: plant.record.write_text("acme_scan/rules.txt,,\nacme_scan/a.pyc,,\n"),
        "RECORD names 1 file that is gone",
    ),
    "a module is gone": (
        lambda plant: plant.modules[1].unlink(),
        "handrail.steps scan_files leads to acme_scan.steps, and there is no acme_scan.steps",
    ),
    "of a package only the folder is left": (
        lambda plant: (
            plant.entry_points.write_text("[handrail.steps]\nscan_files = acme_scan:Y\n"),
            plant.modules[0].unlink(),
        ),
        "handrail.steps scan_files leads to acme_scan, and it has no __init__.py",
    ),
    "a value is no target": (
        lambda plant: plant.entry_points.write_text("[handrail.steps]\nscan_files = a b\n"),
        "handrail.steps scan_files leads to a b, and there is no a b",
    ),
    "a module never was": (
        lambda plant: plant.entry_points.write_text(
            "[handrail.steps]\nscan_files = acme_scan.x:Y\n"
        ),
        "handrail.steps scan_files leads to acme_scan.x, and there is no acme_scan.x",
    ),
    "a package never was": (
        lambda plant: plant.entry_points.write_text("[handrail.steps]\nscan_files = acme_x.y:Y\n"),
        "handrail.steps scan_files leads to acme_x.y, and there is no acme_x",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_told(garden, case):
    """Each way to damage a pack makes it broken, with the reason, and spares its neighbours."""
    spoil, why = DAMAGE[case]
    spoil(garden.plant())
    garden.plant("acme-webp", "0.2.0")
    record, neighbour = read_packs(garden.path)
    assert (record.id, record.version, record.status) == ("acme-scan", "1.4.0", "broken")
    assert record.why.startswith(why)
    assert len(record.problems) >= 1
    assert record.problems[0].message.startswith("acme-scan 1.4.0 is broken: ")
    assert any("--no-pack acme-scan" in way for way in record.problems[0].ways_out)
    assert (neighbour.id, neighbour.status) == ("acme-webp", "on")
    if not case.startswith("entry points"):
        assert [step.name for step in record.offered("steps")][:1] == ["scan_files"]


def test_what_pip_is_removing_is_not_there(garden):
    """A metadata folder that pip has renamed to remove it is no pack."""
    plant = garden.plant()
    plant.info.rename(garden.site / "~cme_scan-1.4.0.dist-info")
    assert read_packs(garden.path) == ()


def test_two_versions_in_one_folder_are_broken(garden):
    """Two whole versions in one folder are broken, since nobody can tell whose code is there."""
    garden.plant(version="1.4.0")
    garden.plant(version="1.5.0")
    record = only(garden)
    assert record.status == "broken"
    assert record.why == "there are two of it in one folder: 1.4.0 and 1.5.0"


def test_first_on_the_path_wins(garden, tmp_path):
    """A distribution that is on the path twice counts once."""
    other = tmp_path / "other"
    garden.plant(version="1.4.0")
    garden.plant(version="1.3.0", site=other, points={"steps": {"old": "acme_scan.steps:Old"}})
    garden.plant("acme-webp", site=other)
    scan, webp = read_packs([*garden.path, str(other)])
    assert (scan.version, scan.location, scan.status) == ("1.4.0", str(garden.site), "on")
    assert [step.name for step in scan.offered("steps")] == ["scan_files"]
    assert webp.status == "on"


def test_the_same_folder_twice_is_one_folder(garden, tmp_path):
    """A link to a folder on the path, or the folder twice, brings nothing twice."""
    garden.plant()
    link = tmp_path / "lib64"
    link.symlink_to(garden.site, target_is_directory=True)
    path = [*garden.path, *garden.path, str(link)]
    (record,) = read_packs(path)
    assert record.problems == ()


def test_a_distribution_without_entry_points_hides_a_pack(garden, tmp_path):
    """As for imports, what comes first on the path hides the pack of the same name behind it."""
    garden.plant(points={"other.group": {"x": "acme_scan"}})
    garden.plant(site=tmp_path / "behind")
    assert read_packs([*garden.path, str(tmp_path / "behind")]) == ()


def test_archives_are_read(garden):
    """A pack in an archive on the path is listed, and a file that is no archive is passed over."""
    garden.plant()
    archive = garden.site.parent / "packs.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for file in sorted(garden.site.rglob("*")):
            target.write(file, file.relative_to(garden.site))
    rubbish = garden.site.parent / "rubbish.zip"
    rubbish.write_bytes(b"PK\x03\x04 nothing")
    (record,) = read_packs([str(rubbish), str(archive)])
    assert (record.id, record.status, record.location) == ("acme-scan", "on", str(archive))


def test_packages_without_init_are_walked(garden):
    """A target in a package without `__init__`, shared with others, is found without importing."""
    garden.plant(
        points={"steps": {"scan": "acme.tools.scan:Scan"}},
        modules={"acme/tools/scan.py": "raise SystemExit"},
    )
    record = only(garden)
    assert (record.status, record.modules) == ("on", ("acme.tools.scan",))
    assert "acme" not in sys.modules


def test_other_finders_are_asked_too(garden, monkeypatch):
    """A module that no folder has may be one that the finder of an editable install knows."""
    garden.plant(points={"steps": {"scan": "acme_elsewhere:Scan"}})

    class Editable:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return ModuleSpec(name, None) if name == "acme_elsewhere" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable])
    assert only(garden).status == "on"


def test_strange_things_on_the_path_are_passed_over(garden):
    """Entries of the path that are missing, empty or no text harm nothing."""
    garden.plant()
    strange = [*garden.path, "/nowhere/at/all", "", "nul\0byte", garden.site, b"bytes"]
    assert [record.id for record in read_packs(strange)] == ["acme-scan"]

"""Listing packs imports none of them, whatever state they are in."""

from __future__ import annotations

import json
import time

import pytest

LIST = """
    import json, sys
    from handrail.packs.installed import installed_packs
    from handrail.builtin.project.docstrings import describe_target

    packs = installed_packs()
    steps = {record.id: record.offered("steps") for record in packs.records}
    found = {
        record.id: [record.version, record.status, record.why, [e.name for e in steps[record.id]]]
        for record in packs.records
    }
    does = [describe_target(entry.value) for each in steps.values() for entry in each]
    print(json.dumps({"packs": found, "does": does, "modules": sorted(sys.modules)}))
"""
HEAVY = ("pydantic", "asyncio", "pluggy", "click")


def listing(garden, **variables):
    return json.loads(garden.run(LIST, **variables))


@pytest.fixture
def hostile(garden):
    """A garden with packs that nobody wants to import, and one good one."""
    garden.plant("acme-scan")
    for name, source in (
        ("acme-killer", "import os; os._exit(3)"),
        ("acme-sleeper", "import time; time.sleep(60)"),
    ):
        package = name.replace("-", "_")
        garden.plant(
            name,
            points={
                "packs": {package: f"{package}.hooks"},
                "steps": {f"{package}_step": f"{package}.steps:Step"},
            },
            modules={
                f"{package}/__init__.py": source,
                f"{package}/hooks.py": source,
                f"{package}/steps.py": f"{source}\nclass Step:\n    '''Do {name}.'''\n",
            },
        )
    unreadable = garden.plant("acme-unreadable")
    unreadable.metadata.write_bytes(b"Name: acme-\xff\n")
    half = garden.plant("acme-thumbs", "0.9.2")
    for module in half.modules:
        module.unlink()
    half.modules[0].parent.rmdir()
    return garden


def test_hostile_packs_are_listed(hostile):
    """Packs that kill or stall whoever imports them, or are damaged, are listed as they are."""
    start = time.monotonic()
    found = listing(hostile)
    assert time.monotonic() - start < 20
    assert found["packs"] == {
        "acme-killer": ["1.4.0", "on", "installed", ["acme_killer_step"]],
        "acme-scan": ["1.4.0", "on", "installed", ["scan_files"]],
        "acme-sleeper": ["1.4.0", "on", "installed", ["acme_sleeper_step"]],
        "acme-thumbs": [
            "0.9.2",
            "broken",
            "handrail.steps scan_files leads to acme_thumbs.steps, and there is no acme_thumbs",
            ["scan_files"],
        ],
        "acme-unreadable": [
            "1.4.0",
            "broken",
            "METADATA cannot be read: 'utf-8' codec can't decode byte 0xff in position 11: "
            "invalid start byte",
            ["scan_files"],
        ],
    }
    assert "Do acme-killer" in found["does"]
    assert "Refuse infected files before they leave" in found["does"]


def test_listing_imports_no_pack_and_nothing_heavy(hostile):
    """A listing imports no pack, and neither pydantic, asyncio, pluggy nor click."""
    modules = listing(hostile)["modules"]
    assert not [name for name in modules if name.startswith("acme")]
    assert not [name for name in HEAVY if name in modules]


def test_off_before_import(hostile):
    """A pack that kills whoever imports it does no harm to a run when it is off."""
    code = """
        from handrail.packs.installed import installed_packs
        packs = installed_packs(only_packs=["acme-scan"])
        print([pack.id for pack in packs.contributors()])
    """
    assert hostile.run(code) == "[]\n"


@pytest.mark.parametrize("variable", ["acme-scan", "Acme_Scan", "x, acme.scan"])
def test_variable_switches_off(garden, variable):
    """HANDRAIL_NO_PACKS takes names in any spelling, and is the reason that is shown."""
    garden.plant("acme-scan")
    found = listing(garden, HANDRAIL_NO_PACKS=variable)
    assert found["packs"]["acme-scan"][1:3] == ["off", "HANDRAIL_NO_PACKS"]

"""Names lead to what packs offer, and where they do not, the error says what to do."""

from __future__ import annotations

import sys

import pytest

from handrail.errors import AmbiguousNameError, ExitCode, NotFoundError, PackError, Problem
from handrail.frozen import replace
from handrail.packs.catalog import Catalog
from handrail.packs.discovery import read_packs
from handrail.packs.record import EntryPoint, PackRecord


def record(name, version="1.0", *, status="on", why="installed", problems=(), **offers):
    points = tuple(
        EntryPoint(group=f"handrail.{kind}", name=each, value=f"{name.replace('-', '_')}:x")
        for kind, names in offers.items()
        for each in names
    )
    return PackRecord(
        id=name,
        name=name,
        version=version,
        entry_points=points,
        status=status,
        why=why,
        problems=problems,
    )


UPLOAD = record("handrail-upload", "0.3.0", actions=["upload"], steps=["upload_files"])
SCAN = record("acme-scan", "1.4.0", packs=["scanner"], steps=["scan_files"], commands=["scan"])


def ways(error):
    return "\n".join(error.value.ways_out)


@pytest.mark.parametrize(
    "name", ["scan_files", "acme-scan:scan_files", "Acme_Scan:scan_files", "scanner:scan_files"]
)
def test_find(name):
    """A step is found by its bare name, and by any name of its pack and its own."""
    found, entry = Catalog([UPLOAD, SCAN]).find("steps", name)
    assert (found, entry.name) == (SCAN, "scan_files")


def test_unknown_name_says_what_is_near_and_where_we_looked():
    """An unknown name has near names and the environment; no distribution is made up from it."""
    with pytest.raises(NotFoundError, match="there is no action 'uplaod'") as error:
        Catalog([UPLOAD, SCAN]).find("actions", "uplaod")
    assert "did you mean upload?" in ways(error)
    assert "pip install" not in ways(error)
    assert sys.prefix in ways(error)
    assert error.value.exit_code is ExitCode.USAGE


def test_unknown_in_a_known_pack():
    """A pack that is installed and lacks the name lists what it has."""
    with pytest.raises(NotFoundError, match=r"acme-scan 1\.4\.0 has no step 'scan_file'") as error:
        Catalog([UPLOAD, SCAN]).find("steps", "acme-scan:scan_file")
    assert "did you mean scan_files?" in ways(error)
    assert "its steps: scan_files" in ways(error)


def test_unknown_pack():
    """A pack that is not installed has near names; only one of ours is one to install."""
    with pytest.raises(NotFoundError, match="no installed pack is called 'acme-scam'") as error:
        Catalog([SCAN]).find("steps", "acme-scam:scan_files")
    assert "did you mean acme-scan?" in ways(error)
    assert "pip install" not in ways(error)
    with pytest.raises(NotFoundError) as error:
        Catalog([SCAN]).find("steps", "handrail-upload:scan_files")
    assert "pip install handrail-upload" in ways(error)


def test_off_pack_has_it():
    """A name that only a pack offers which is off says which pack, and what switched it off."""
    off = replace(SCAN, status="off", why="handrail.toml:9  packs.disable")
    with pytest.raises(NotFoundError, match="there is no step 'scan_files' that is on") as error:
        Catalog([off]).find("steps", "scan_files")
    assert ways(error) == "acme-scan has it and is off: handrail.toml:9  packs.disable"


@pytest.mark.parametrize("status", ["broken", "incompatible"])
def test_broken_pack_has_it(status):
    """A name that a broken pack offers is a PackError with the reason and its problems."""
    problem = Problem(code="x", message="it is broken")
    bad = replace(SCAN, status=status, why="of this", problems=(problem,))
    with pytest.raises(PackError, match=f"acme-scan 1.4.0, which is {status}: of this") as error:
        Catalog([bad]).find("steps", "scan_files")
    assert error.value.problems == (problem,)
    assert error.value.exit_code is ExitCode.PACK


def test_several_packs_have_it():
    """A bare name that several packs offer is an error naming each; the full names work."""
    other = record("acme-virus", "2.0", steps=["scan_files"])
    catalog = Catalog([SCAN, other])
    with pytest.raises(AmbiguousNameError, match=r"acme-scan 1\.4\.0 and acme-virus 2\.0") as error:
        catalog.find("steps", "scan_files")
    assert ways(error) == "say which:  acme-scan:scan_files  or  acme-virus:scan_files"
    assert catalog.find("steps", "acme-virus:scan_files")[0] is other
    off = Catalog([SCAN, replace(other, status="off")])
    assert off.find("steps", "scan_files")[0] is SCAN


def test_broken_claimant_counts():
    """A broken pack that offers the name too is not passed over in silence."""
    other = record("acme-virus", status="broken", steps=["scan_files"])
    with pytest.raises(AmbiguousNameError):
        Catalog([SCAN, other]).find("steps", "scan_files")


def test_a_pack_is_known_by_any_of_its_names():
    """In any spelling."""
    catalog = Catalog([SCAN])
    assert catalog.pack("ACME_scan") is SCAN
    assert catalog.pack("scanner") is SCAN
    assert catalog.pack("acme") is None


def test_load(garden, monkeypatch):
    """Loading imports what the entry point names."""
    garden.plant()
    monkeypatch.syspath_prepend(garden.site)
    catalog = Catalog(read_packs(garden.path))
    assert catalog.load("steps", "scan_files").__name__ == "ScanFiles"


FAILURES = {
    "raises": ("1 / 0", "ZeroDivisionError: division by zero", ZeroDivisionError),
    "misses a module": ("import acme_nothing", "No module named 'acme_nothing'", ImportError),
    "leaves": ("raise SystemExit(3)", "SystemExit: sys.exit(3)", SystemExit),
    "is no Python": ("def", "SyntaxError", SyntaxError),
    "lacks the name": ("", "has no attribute 'ScanFiles'", AttributeError),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failed_import(garden, monkeypatch, case):
    """Whatever an import raises becomes a PackError with the cause, the place and ways out."""
    source, text, cause = FAILURES[case]
    garden.plant(modules={"acme_scan/__init__.py": "", "acme_scan/steps.py": f"\n{source}\n"})
    monkeypatch.syspath_prepend(garden.site)
    with pytest.raises(PackError, match=r"acme-scan 1\.4\.0: step") as error:
        Catalog(read_packs(garden.path)).load("steps", "scan_files")
    assert text in error.value.message
    assert isinstance(error.value.__cause__, cause)
    assert error.value.origin.pack == "acme-scan"
    if case in ("raises", "misses a module", "leaves"):
        assert error.value.origin.place == "acme_scan/steps.py:2"
    for way in ("pip install --upgrade acme-scan", "--no-pack acme-scan"):
        assert way in ways(error)


def test_interrupted_import(garden, monkeypatch):
    """Ctrl-C during an import stays Ctrl-C."""
    garden.plant(
        modules={"acme_scan/__init__.py": "", "acme_scan/steps.py": "raise KeyboardInterrupt"}
    )
    monkeypatch.syspath_prepend(garden.site)
    with pytest.raises(KeyboardInterrupt):
        Catalog(read_packs(garden.path)).load("steps", "scan_files")

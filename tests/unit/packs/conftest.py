"""What the tests of packs share."""

from __future__ import annotations

import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import handrail.packs.snapshot
from handrail.packs.index import read_index
from handrail.packs.installed import InstalledPacks
from handrail.settings.load import read_settings
from handrail.settings.values import Flags

SUPPORT = Path(__file__).parents[2] / "support" / "garden.py"

spec = spec_from_file_location("handrail_tests_garden", SUPPORT)
assert spec is not None
assert spec.loader is not None
garden_module = sys.modules[spec.name] = module_from_spec(spec)
spec.loader.exec_module(garden_module)


@pytest.fixture
def garden(tmp_path, monkeypatch):
    """An empty folder to plant distributions in; its modules are forgotten afterwards."""
    before = set(sys.modules)
    planted = garden_module.Garden(tmp_path)
    monkeypatch.delenv("HANDRAIL_CACHE", raising=False)
    yield planted
    for name in set(sys.modules) - before:
        if name.startswith("acme"):
            del sys.modules[name]


@pytest.fixture
def settled(monkeypatch):
    """Keep an index also of files that have changed just now; the test has to wait out a tick."""
    monkeypatch.setattr(handrail.packs.snapshot, "_TICK", 0)
    monkeypatch.setattr(handrail.packs.snapshot, "_COARSE_TICK", 0)


@pytest.fixture
def tick():
    """A function that waits until the clock of the file system has moved on."""
    return lambda: time.sleep(0.02)


@pytest.fixture
def packs(garden, monkeypatch):
    """A function that returns the planted packs under a project file, variables and flags."""
    monkeypatch.syspath_prepend(garden.site)

    def found(toml="", variables=None, **flags):
        (garden.project / "handrail.toml").write_text(toml)
        settings, problems = read_settings(garden.project, variables or {}, Flags(**flags))
        return InstalledPacks(settings, read_index(garden.path, cache=None).records, problems)

    return found

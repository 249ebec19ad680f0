"""What the tests of packs share."""

from __future__ import annotations

import sys

import pytest
from garden import Garden

from handrail.packs.configuration import Flags, configuration_at
from handrail.packs.discovery import read_packs
from handrail.packs.installed import InstalledPacks


@pytest.fixture
def garden(tmp_path, monkeypatch):
    """An empty folder to plant distributions in; its modules are forgotten afterwards."""
    before = set(sys.modules)
    planted = Garden(tmp_path)
    yield planted
    for name in set(sys.modules) - before:
        if name.startswith("acme"):
            del sys.modules[name]


@pytest.fixture
def packs(garden, monkeypatch):
    """A function that returns the planted packs under a project file, variables and flags."""
    monkeypatch.syspath_prepend(garden.site)

    def found(toml="", variables=None, **flags):
        (garden.project / "handrail.toml").write_text(toml)
        chosen = Flags(environ=variables or {}, **flags)
        found = configuration_at(str(garden.project), chosen, read_packs(garden.path))
        return InstalledPacks(found)

    return found

"""What starting costs: the modules that are imported."""

from __future__ import annotations

import pytest

# Each of them takes milliseconds, and none is needed to list what is installed.
SLOW = ["asyncio", "pluggy", "pydantic", "sqlite3", "tomllib"]
SLOW += ["handrail.actions", "handrail.orchestrator"]

MODULES = """
    import sys
    before = set(sys.modules)
    from handrail.cli import main
    code = main({words!r})
    print("|", code, *(set({slow!r}) & (set(sys.modules) - before)))
"""


def imported(garden, *words, slow=SLOW):
    """Return the slow modules that a command imports."""
    told = garden.run(MODULES.format(words=list(words), slow=slow))
    code, *modules = told.rpartition("| ")[2].split()
    assert code == "0"
    return modules


def test_import_brings_next_to_nothing(garden):
    """`import handrail` imports importlib, and nothing of its own or of others."""
    told = garden.run(
        """
        import sys
        before = set(sys.modules)
        import handrail
        print(sorted(set(sys.modules) - before))
        """
    )
    extra = set(told.strip("[]\n").replace("'", "").split(", "))
    extra = {each for each in extra if not each.startswith("importlib._bootstrap")}
    assert extra <= {
        "__future__",
        "handrail",
        "handrail.lazy",
        "importlib",
        "warnings",
        "_warnings",
    }


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("packs",), ("steps",)])
def test_listing_imports_nothing_slow(garden, words):
    """Neither help nor a listing imports what takes long, or any pack."""
    garden.plant()
    assert imported(garden, *words) == []


def test_the_version_does_without_metadata(garden):
    assert imported(garden, "--version", slow=["importlib_metadata"]) == []


RUNS = """
    import os, sys
    from handrail import BaseAction, resume, step
    from handrail.sqlite import SqliteJournal

    @step
    def first(context):
        pass

    @step
    def last(context):
        if not os.path.exists("open"):
            raise ValueError("shut")

    class Flow(BaseAction):
        action_name = "flow"
        def setup_steps(self, registry):
            registry.register(first)
            registry.register(last)

    journal = SqliteJournal("runs.db")
    try:
        Flow(None, packs=()).run(journal=journal, on_failure="keep")
    except RuntimeError:
        open("open", "w").close()
    print(resume(Flow, journal=journal, packs=())["success"])
    print("importlib_metadata" in sys.modules, "handrail.packs.installed" in sys.modules)
"""


def test_a_program_without_packs_does_not_import_what_finds_them(garden, tmp_path, monkeypatch):
    """Neither to plan and to run, nor to go on: that is more than half of what going on takes."""
    monkeypatch.chdir(tmp_path)
    assert garden.run(RUNS).split() == ["True", "False", "False"]


FLOWS = """
from handrail import action, step

@step
def look(context): ...

nightly = action("nightly", [look])
"""


@pytest.mark.parametrize("words", [("plan",), ("run", "--no-journal")])
def test_the_library_for_hooks_is_imported_where_a_pack_has_some(garden, words):
    """A plan of packs that offer steps and actions alone does without it."""
    garden.plant("acme-scan")
    (garden.project / "flows.py").write_text(FLOWS)
    assert imported(garden, *words, "flows.py:nightly", slow=["pluggy"]) == []
    garden.plant_hooks("acme-hook")
    assert imported(garden, *words, "flows.py:nightly", slow=["pluggy"]) == ["pluggy"]


def test_a_range_of_the_core_is_read_without_the_parser_of_requirements(garden):
    """Hardly any pack says more of it, and to import the parser takes twice as long."""
    garden.plant("acme-scan", requires=["handrail>=0.1,<9"])
    assert imported(garden, "packs", slow=["packaging.requirements"]) == []

"""What starting costs, counted: modules that are imported, files that are opened and looked at."""

from __future__ import annotations

from importlib.metadata import version

import pytest

# Each of them takes milliseconds, and none is needed to list what is installed.
SLOW = [
    *("asyncio", "dataclasses", "email", "importlib_metadata", "logging", "pathlib", "pluggy"),
    *("pydantic", "sqlite3", "tomllib", "traceback", "unicodedata", "urllib.parse"),
]
if tuple(map(int, version("click").split(".")[:2])) >= (8, 2):
    SLOW.append("shutil")  # Help of older ones imports it, whatever it is told.

COUNTS = """
    import os, sys
    before = set(sys.modules)
    import handrail.packs.snapshot
    # Also what was planted just now is to be kept.
    handrail.packs.snapshot._TICK = handrail.packs.snapshot._COARSE_TICK = 0
    opened, looked = [], []
    sys.addaudithook(lambda name, data: opened.append(str(data[0])) if name == "open" else None)
    stat = os.stat
    os.stat = lambda path, **options: (looked.append(str(path)), stat(path, **options))[1]
    from handrail.cli import main
    code = main({words!r})
    os.stat = stat
    slow = sorted(set({slow!r}) & (set(sys.modules) - before))
    own = [each for each in opened if "dist-info" in each or each.endswith(".json")]
    print("|", code, slow, len(own), sum("dist-info" in each for each in looked))
"""


def counted(garden, *words, slow=SLOW):
    """Return code, slow modules, how many files of metadata were opened, and looked at."""
    told = garden.run(COUNTS.format(words=list(words), slow=slow))
    code, _, rest = told.rpartition("| ")[2].partition(" ")
    imported, _, numbers = rest.rpartition("] ")
    opened, looked = map(int, numbers.split())
    return int(code), imported + "]", opened, looked


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
    assert extra <= {"__future__", "handrail", "importlib", "warnings", "_warnings"}


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("packs",)])
def test_listing_imports_nothing_slow(garden, words):
    """Neither help nor a listing from an index imports what takes long, or any pack."""
    garden.plant()
    counted(garden, *words)
    code, slow, _, _ = counted(garden, *words)
    assert (code, slow) == (0, "[]")


@pytest.mark.parametrize("word", ["packs", "actions", "steps", "--help"])
def test_what_fits_the_core_is_known_from_the_index(garden, word):
    """Versions are compared where an index is made, and never for a listing from one."""
    garden.plant("acme-old", requires=["handrail>=99"])
    assert counted(garden, "packs", slow=["packaging"])[1] == "['packaging']"
    assert counted(garden, word, slow=["packaging"])[:2] == (0, "[]")


RUNS = """
    import os, sys
    from handrail import BaseAction, resume, step
    from handrail.journal.sqlite import SqliteJournal

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
    code, slow, _, _ = counted(garden, *words, "flows.py:nightly", slow=["pluggy"])
    assert (code, slow) == (0, "[]")
    garden.plant_hooks("acme-hook")
    code, slow, _, _ = counted(garden, *words, "flows.py:nightly", slow=["pluggy"])
    assert (code, slow) == (0, "['pluggy']")


def test_a_warm_listing_reads_the_index_alone(garden):
    """Beside the index no metadata is opened, and each distribution is looked at a few times."""
    counted(garden, "packs")
    _, _, opened, few = counted(garden, "packs")
    for number in range(20):
        garden.plant(f"other-{number}", points={"x.y": {"a": "b"}}, modules={})
    _, _, cold, _ = counted(garden, "packs")
    _, _, again, many = counted(garden, "packs")
    assert opened == again == 1  # The index.
    assert cold > 20
    assert many - few == 20


def test_packs_as_nearly_all_are_written_are_read_without_the_library(garden):
    """Its import, and that of the parser for mail, would be most of what a cold index takes."""
    garden.plant("acme-scan")
    # Which modules a comparison of versions needs differs between releases of `packaging`.
    needed = garden.run("import sys, packaging.specifiers; print(*sys.modules)").split()
    code, slow, opened, _ = counted(garden, "packs", slow=sorted({*SLOW} - {*needed}))
    assert (code, slow) == (0, "[]")
    assert opened >= 3, "it was read, and not known from an index"


def test_a_range_of_the_core_is_read_without_the_parser_of_requirements(garden):
    """Hardly any pack says more of it, and to import the parser takes twice as long."""
    garden.plant("acme-scan", requires=["handrail>=0.1,<9"])
    assert counted(garden, "packs", slow=["packaging.requirements"])[1] == "[]"

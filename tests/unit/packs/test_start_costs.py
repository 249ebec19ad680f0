"""What starting costs, counted: modules that are imported, files that are opened and looked at."""

from __future__ import annotations

import pytest

# Each of them takes milliseconds, and none is needed to list what is installed.
SLOW = [
    *("asyncio", "dataclasses", "email", "importlib_metadata", "logging", "pathlib", "pluggy"),
    *("pydantic", "shutil", "sqlite3", "tomllib", "traceback", "unicodedata", "urllib.parse"),
]

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


def counted(garden, *words):
    """Return code, slow modules, how many files of metadata were opened, and looked at."""
    told = garden.run(COUNTS.format(words=list(words), slow=SLOW))
    code, _, rest = told.rpartition("| ")[2].partition(" ")
    slow, _, numbers = rest.rpartition("] ")
    opened, looked = map(int, numbers.split())
    return int(code), slow + "]", opened, looked


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
    counted(garden, *words)
    code, slow, _, _ = counted(garden, *words)
    assert (code, slow) == (0, "[]")


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

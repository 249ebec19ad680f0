"""The architecture page knows every part of core."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core/src/handrail"
PAGE = ROOT / "docs/explanation/architecture.md"


def test_the_architecture_page_says_what_is_in_each_part_of_core() -> None:
    """The table of the house names each folder and each module on the top floor, and no other."""
    folders = {f"{path.name}/" for path in CORE.iterdir() if (path / "__init__.py").is_file()}
    modules = {path.stem for path in CORE.glob("*.py") if not path.name.startswith("_")}
    house = PAGE.read_text(encoding="utf-8").partition("## The house")[2].partition("\n- ")[0]
    rows = [line.split("|")[1] for line in house.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([\w/]+)`", " ".join(rows))) == folders | modules


def test_the_files_that_a_change_touches_are_there() -> None:
    """Each path in the table of common changes leads to a file or a folder of core."""
    table = PAGE.read_text(encoding="utf-8").partition("## Where a change goes")[2]
    table = table.partition("\n## ")[0].partition("|---|---|")[2]
    paths = re.findall(r"`([\w/.]+(?:\.py|/))`", table)
    assert len(paths) > 20
    assert [path for path in paths if not (CORE / path).exists()] == []

"""The list of exports fits the terminal, whatever their outputs are called."""

from __future__ import annotations

import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from handrail_export.command import export as command
from handrail_export.manifest import Manifest

STATE = Path(".handrail/exports")
OUTPUTS = (
    "s3://acme-exports/2026-11/the-collection-of-all-and-everything/that-there-is/of-it",
    f"/srv/{'資料を送る/' * 12}写真",
)


def columns(line):
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_the_list_fits_and_loses_nothing(tmp_path, monkeypatch, width):
    """Whole outputs, counts and states are there, also in a pipe, which has no width."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    STATE.mkdir(parents=True)
    for number, output in enumerate(OUTPUTS):
        with closing(Manifest(STATE / f"{number}0000000-0000-7000-8000-000000000000.db")) as made:
            made.describe(
                number=number + 1_000_000,
                output=output,
                format="a_format_of_some_pack",
                exported_count=12_345_678,
                created="2026-11-27T09:14",
            )
    lines = CliRunner().invoke(command, ["list"], standalone_mode=False).stdout.splitlines()
    assert max(map(columns, lines)) <= (width or 100)
    assert lines[0].split()[:2] == ["RUN", "STATE"]
    shown = " ".join(" ".join(lines).split())
    for words in ("1000001", "not finished", "12,345,678", "a_format_of_some_pack", "2 exports in"):
        assert words in shown
    ends = [line.split("  ")[-1].strip().removeprefix("output ") for line in lines]
    for output in OUTPUTS:
        rest = output
        for end in ends:
            rest = rest.removeprefix(end) if end else rest
        assert rest == ""

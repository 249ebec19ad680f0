"""The list of uploads fits the terminal, whatever the targets are called."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail_upload import Manifest

STATE = Path(".handrail/uploads")
TARGETS = (
    "s3://acme-raw/2026-11/the-collection-of-all-and-everything/that-there-is/of-it",
    f"/srv/{'資料を送る/' * 12}写真",
    None,
)


def columns(line: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_the_list_fits_and_loses_nothing(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, width: int | None
) -> None:
    """Whole targets, counts and states are there, also in a pipe, which has no width."""
    monkeypatch.delenv("COLUMNS", raising=False)
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    for number, target in enumerate(TARGETS):
        path = STATE / f"{number}0000000-0000-7000-8000-000000000000.db"
        with closing(Manifest(path)) as manifest:
            manifest.describe(number=number + 1_000_000, target=target, started="2026-11-27T09:14")
    (STATE / "a0000000-0000-7000-8000-000000000000.db").write_bytes(b"damaged")
    code, out, err = run("list")
    lines = out.splitlines()
    assert code == 0
    assert max(map(columns, lines)) <= (width or 100)
    assert width is None or max(map(columns, err.splitlines())) <= width
    assert lines[0].split()[:2] == ["RUN", "STATE"]
    whole = "".join(out.split())
    for words in (*TARGETS[:2], "1000002", "notfinished", "2026-11-2709:14", "endedbeforeithad"):
        assert words is not None
        assert words in whole or _in_pieces(words, lines)
    assert "damaged" in err or "a0000000-0000-7000-8000" in "".join(err.split())


def _in_pieces(words: str, lines: list[str]) -> bool:
    """Whether a text is there, broken over the last column of consecutive lines."""
    rest = words
    for line in lines:
        piece = line.split("  ")[-1].strip().removeprefix("target ")
        if piece and rest.startswith(piece):
            rest = rest.removeprefix(piece)
    return not rest

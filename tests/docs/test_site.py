"""The site is whole: links lead somewhere, pages are in the nav, no page is empty."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
LINK = re.compile(r"(?<!!)\[[^\]\n]+(?:\n[^\]\n]+)?\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).strip().lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{each}" for each in PAGES)])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_in_the_nav_and_has_something_to_say(page: str) -> None:
    assert re.search(rf"[ :]{re.escape(page)}$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    text = (DOCS / page).read_text(encoding="utf-8")
    assert len(text.splitlines()) > 3
    assert "\npending\n" not in text


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is not installed here")
def test_the_site_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

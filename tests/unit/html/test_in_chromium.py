"""Reports in a real Chromium, if one is installed: nothing is requested, and it fits a phone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shown_runs import EVERY

from handrail.html import report

pytestmark = pytest.mark.slow

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return a Chromium without a window."""
    api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).is_file():
        pytest.skip("no chromium is installed")
    with api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=120_000)
        yield made
        made.close()


@pytest.mark.parametrize("kind", EVERY)
def test_a_report_opens_from_a_disk(kind: str, browser: Any, tmp_path: Path) -> None:
    """Without a request, a complaint or a script; and no wider than the window of a phone."""
    file = tmp_path / "a report.html"
    file.write_text(report(EVERY[kind](), command="handrail show 12"), encoding="utf-8")
    asked: list[str] = []
    said: list[str] = []
    page = browser.new_page(viewport={"width": 380, "height": 800}, java_script_enabled=True)
    page.set_default_timeout(60_000)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    wide = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    assert page.evaluate(wide) <= 0
    assert [each for each in asked if not each.startswith("data:image/")] == [file.as_uri()]
    assert said == []
    # The policy holds: a script that somebody had put into the file would not run.
    assert page.evaluate("""() => {
        const one = document.createElement("script");
        one.textContent = "window.ran = true";
        document.body.append(one);
        return window.ran === undefined;
    }""")
    page.close()

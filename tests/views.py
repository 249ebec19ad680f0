"""Takes a picture of every view, for somebody to look at, and says what a machine finds ugly.

    nox -s views                     all of them, into build/views
    nox -s views -- web report-      those whose names begin with that

Each view is taken at three widths, light and dark. A machine finds text that is cut, or has too
little contrast; pages that are wider than their window; and what is too small for a finger. It
fails if it finds any. Whether a view is beautiful it does not see.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorded_runs import Journal, done, planned, started
from shown_runs import EVERY, attached, line, shown, span, step
from sites import FLOW, Server

from handrail.journal import ChunkChange
from handrail_report import page as document
from handrail_report import plan_picture, report
from handrail_report.plan_drawing import picture_styles

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
WIDTHS = (380, 1100, 1600)
SCHEMES = ("light", "dark")
OVER = "training.py:TrainAction --over epochs=5,10 --over hyper.learning_rate=0.02,0.1,0.4"
TALLEST = 6_000  # Pixels of a picture.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--force-color-profile=srgb", "--disable-sync"),
)
# Returns what is wrong with what is shown, in a sentence each.
UGLY = r"""() => {
  const found = new Set();
  const say = (what, element) => {
    const name = element.id ? `#${element.id}` : (element.getAttribute("class") ?? "");
    const words = (element.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 40);
    found.add(`${what}: <${element.localName} ${name}> ${words}`);
  };
  const root = document.scrollingElement ?? document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    for (const each of document.querySelectorAll("body *")) {
      const box = each.getBoundingClientRect();
      if (box.right > root.clientWidth + 1 && !each.closest(".scroll, pre, .unseen"))
        say(`wider than the window (${Math.round(box.right)})`, each);
    }
  }
  const channels = (colour) => {
    const [r, g, b, a] = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith("color(") ? [r * 255, g * 255, b * 255, a ?? 1] : [r, g, b, a ?? 1];
  };
  const over = (front, back) =>
    [0, 1, 2].map((each) => front[each] * front[3] + back[each] * (1 - front[3])).concat(1);
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const above = [];
    for (let each = element; each; each = each.parentElement) {
      const own = channels(getComputedStyle(each).backgroundColor);
      if (own[3]) above.push(own);
      if (own[3] === 1) break;
    }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const canvas = dark ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return above.reverse().reduce((back, front) => over(front, back), canvas);
  };
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element?.getClientRects().length) continue;
    if (element.closest("svg, script, style, option, .unseen")) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    if (getComputedStyle(element).clipPath !== "none") continue; // For screen readers only.
    const style = getComputedStyle(element);
    if (parseFloat(style.fontSize) === 0) continue;
    if (parseFloat(style.fontSize) < 11) say(`too small (${style.fontSize})`, element);
    const back = ground(element);
    const pair = [light(over(channels(style.color), back)), light(back)].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) say(`too little contrast (${contrast.toFixed(1)})`, element);
    const clips = ["hidden", "clip"].includes(style.overflowX);
    if (clips && element.scrollWidth > element.clientWidth + 1) say("cut", element);
  }
  for (const text of document.querySelectorAll("svg text")) {
    const svg = text.closest("svg");
    if (!text.textContent.trim() || getComputedStyle(svg).overflow === "visible") continue;
    const [mine, all] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
    if (mine.right > all.right + 1 || mine.left < all.left - 1 || mine.bottom > all.bottom + 1)
      say("text leaves its picture", text);
  }
  for (const each of document.querySelectorAll("a, button, input, select, summary")) {
    const label = each.closest("label") ?? each;
    const [own, box] = [each.getBoundingClientRect(), label.getBoundingClientRect()];
    if (!own.width || each.closest(".skip, .unseen") || each.type === "hidden") continue;
    // A link within a sentence may be as high as its line.
    const inline = each.localName === "a" && getComputedStyle(each).display === "inline";
    const [wide, tall] = [Math.round(box.width), Math.round(Math.max(box.height, own.height))];
    if (!inline && (tall < 24 || wide < 24)) say(`small for a finger (${wide}x${tall})`, each);
  }
  return [...found];
}"""

Shown = dict[str, Any]
Look = Callable[..., None]


class Views:
    """Takes pictures of views, in a browser.

    Attributes:
        folder: Where pages are made.
        found: What a machine finds wrong, by the name of the picture.
    """

    def __init__(self, browser: Browser, folder: Path, pictures: Path, names: list[str]) -> None:
        self.folder = folder
        self.found: dict[str, list[str]] = {}
        self._browser = browser
        self._pictures = pictures
        self._names = tuple(names)

    def wants(self, name: str) -> bool:
        """Return whether a view is asked for, or one whose name begins like that."""
        return (
            not self._names
            or name.startswith(self._names)
            or any(each.startswith(name) for each in self._names)
        )

    def file(self, name: str, content: str) -> None:
        """Take pictures of a document."""
        if self.wants(name):
            file = self.folder / f"{name}.html"
            file.write_text(content, encoding="utf-8")
            self.look(name, file.as_uri())

    def look(
        self, name: str, address: str, act: Callable[[Page], object] = lambda page: None
    ) -> None:
        """Take pictures of a page.

        Args:
            name: The name of the view.
            address: The address of the page.
            act: What is done in the page before.
        """
        if not self.wants(name):
            return
        for scheme in SCHEMES:
            context = self._browser.new_context(
                color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
            )
            for width in WIDTHS:
                page = context.new_page()
                page.set_viewport_size({"width": width, "height": 900})
                page.goto(address)
                act(page)
                tall: int = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": min(max(tall, 200), TALLEST)})
                picture = f"{name}-{width}-{scheme}"
                page.screenshot(path=self._pictures / f"{picture}.png", animations="disabled")
                if found := page.evaluate(UGLY):
                    self.found[picture] = found
                page.close()
            context.close()
        print(name)


# Reports


def logged() -> Shown:
    """Return a run that has logged much."""
    lines = [
        line(number, file=f"IMG_{number:04}.jpg", size=number * 1000) for number in range(1, 301)
    ]
    lines[40] = line(41, "error", message="AccessDenied (403) " * 20)
    long = step(
        "send", "failed", span(1, 30), log=lines, error="AccessDenied (403)", traceback="T\n" * 9
    )
    return shown(step("scan", "done", span(0, 1), log=lines[:9]), long, state="failed (kept)")


def many_items() -> Shown:
    """Return a run of 100,000 items."""
    failures = [
        {"item": place, "error": f"PermissionDenied: IMG_{place}.jpg", "traceback": "Traceback\n"}
        for place in range(20)
    ]
    items: Shown = {"done": 90_000, "failed": 10_000, "begun": 0, "undone": 0, "left": 0}
    table = {
        "columns": ["outcome", "files", "bytes"],
        "rows": [["new", 90_000, 1.5], ["failed", 10_000, 0]],
        "total": 2,
    }
    items["failures"] = failures
    told = attached("files", "table", table)
    return shown(
        step("scan_files", "done", span(0, 9), items=items, attachments=[told]),
        step("send_files", "failed", span(9, 99), items=items, error="10,000 items failed"),
        state="failed (kept)",
    )


def many_steps() -> Shown:
    """Return a run of 600 steps with long names."""
    steps = [
        step(
            f"a_step_with_quite_a_long_name_{place}",
            "done",
            span(place, place + 1),
            undo=place % 3 == 0,
        )
        for place in range(600)
    ]
    steps[300] = step("broken", "failed", span(300, 301), error="boom " * 60, traceback="t\n" * 9)
    return shown(*steps, state="failed (kept)", outcome="failed")


def reports(views: Views) -> None:
    """Reports of runs, sweeps and several runs."""
    made = {**EVERY, "logged": logged, "items": many_items, "steps": many_steps}
    made["empty"] = shown
    for kind, make in made.items():
        command = "handrail show 12"
        views.file(f"report-{kind}", report(make(), command=command, made="Handrail 0.1.0"))


# Plans


def plan_of(steps: list[Shown], **more: Any) -> Shown:
    origin = steps[0]["origin"]
    return {"action": "upload", "origin": origin, "fingerprint": "9f3c21ab", "steps": steps, **more}


def plans() -> Iterator[tuple[str, Shown]]:
    """Yield plans by name."""
    retry = {"name": "retry", "origin": step("x")["origin"], "reason": ""}
    media = [
        step(f"{name}_{lane}", group="media", lane=lane, undo=True)
        for lane in range(3)
        for name in ("resize", "watermark_with_a_long_name")
    ]
    few = [
        step("audit_open", reason="before initialize", required="handrail.toml:4"),
        step("initialize", undo=True, final=True),
        *media,
        step("upload_files", layers=[retry, {**retry, "name": "timing"}], undo=True, effects=True,
             limits={"timeout": 60, "isolated": True}),
        step("cleanup", always_run=True),
    ]  # fmt: skip
    few[0]["origin"] = {**few[0]["origin"], "pack": "acme-audit", "version": "2.0.1"}
    yield "few", plan_of(few, groups=[{"name": "media", "concurrency": 2}])
    yield "many", plan_of([step(f"step_{each}", undo=each % 2 == 0) for each in range(150)])
    lanes = [step(f"lane_{each}", group="media", lane=each) for each in range(30)]
    yield "lanes", plan_of(lanes, groups=[{"name": "media", "concurrency": 8}])
    yield "one", plan_of([step("upload_files_with_a_name_that_is_longer_than_its_box_can_ever_be")])


def pictures_of_plans(views: Views) -> None:
    """Plans in a page, and in a notebook."""
    for name, plan in plans():
        body = f"<main>{picture_styles()}{plan_picture(plan)}</main>"
        views.file(f"notebook-{name}", f"<!doctype html><title>Plan</title>{body}")
        views.file(f"report-plan-{name}", str(document("Plan", plan_picture(plan))))


# Pages


@contextmanager
def project(folder: Path) -> Iterator[None]:
    """Work in a folder with a workflow, whose user has no key yet."""
    (folder / "flows.py").write_text(FLOW)
    guide = (ROOT / "docs/how-to/run-a-sweep.md").read_text(encoding="utf-8")
    training = re.search(r'```python title="flows.py"\n(.*?)```', guide, re.DOTALL)
    assert training is not None
    (folder / "training.py").write_text(training[1], encoding="utf-8")
    workflow = '[workflows.nightly]\nextends = "upload"\n'
    (folder / "handrail.toml").write_text(f'[project]\nname = "shapes"\n{workflow}')
    before = os.getcwd()
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def fill(journal: Journal) -> dict[str, int]:
    """Add runs of every kind to a journal; return the numbers of those to look at."""
    steps = [planned(name, reason="base") for name in ("scan", "send", "index")]
    for number in range(70):
        outcome = ("completed", "completed", "rolled_back")[number % 3]
        journal.add(steps, done("scan"), outcome=outcome)
    chunks = [
        ChunkChange("scan", 1, number, 0, number * 100, 100, 1, "done", 7, failed=number % 2)
        for number in range(1000)
    ]
    runs = {
        "interrupted": journal.add(steps, started("scan"), action="flows.py:job"),
        "live": journal.add(steps, done("scan"), started("send"), dead=False),
        "items": journal.add(steps, started("scan"), *chunks, dead=False),
    }
    for name, words in {"failed": "flows.py:job --on-failure keep", "sweep": OVER}.items():
        command = [sys.executable, "-m", "handrail", "run", *words.split(), "-q"]
        # One of them fails, as it should.
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        runs[name] = max(runs.values()) + 1
    return runs


def web(views: Views) -> None:
    """Every page of `handrail web`."""
    if not views.wants("web"):
        return
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="handrail-views-")))
        cleanup.enter_context(project(folder))
        server = Server("--allow-changes")
        cleanup.callback(server.stop)
        views.look("web-empty", server.address)
        journal = Journal(folder)
        cleanup.callback(lambda: [each.close() for each in journal.opened])
        runs = fill(journal)
        entered = server.address

        def at(path: str) -> Callable[[Page], object]:
            def go(page: Page) -> None:
                page.goto(f"{page.url.partition('?')[0].rstrip('/')}{path}")
                page.wait_for_load_state("load")

            return go

        views.look("web-runs", entered)
        views.look("web-none-found", entered, at("/?text=nothing+like+that"))
        for name, number in runs.items():
            views.look(f"web-run-{name}", entered, at(f"/runs/{number}"))
        views.look("web-compare", entered, at(f"/compare?run={runs['failed']}&run=71&run=74"))
        views.look("web-plans", entered, at("/plans"))
        views.look("web-plan", entered, at("/plans/nightly"))
        views.look("web-packs", entered, at("/packs"))
        views.look("web-undo", entered, at(f"/runs/{runs['failed']}/rollback"))
        views.look("web-resume", entered, at(f"/runs/{runs['failed']}/resume"))
        views.look("web-refused", entered, at(f"/runs/{runs['live']}/rollback"))
        views.look("web-no-such-run", entered, at("/runs/99999"))
        views.look("web-no-such-page", entered, at("/nothing"))
        views.look("web-no-such-plan", entered, at("/plans/nothing"))


def main(names: list[str]) -> int:
    """Take the pictures; return how the process ends."""
    from playwright.sync_api import sync_playwright

    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    pictures = ROOT / "build/views"
    pictures.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="handrail-views-")))
        playwright = cleanup.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        cleanup.callback(browser.close)
        views = Views(browser, folder, pictures, names)
        for part in (reports, pictures_of_plans, web):
            part(views)
        for picture, found in views.found.items():
            print(picture, *found, sep="\n  ")
    print(f"{pictures}: {time.monotonic() - began:.0f}s")
    return 1 if views.found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

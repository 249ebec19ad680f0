"""Takes a picture of every view, for somebody to look at, and says what a machine finds wrong.

    nox -s views                     all of them, into build/views
    nox -s views -- page- report-    those whose names begin with that

Runs of `flows.py`, which stands beside this file, are shown by a page and by a report, at three
widths, light and dark. It is wrong where axe finds a violation, where text is cut, and where a
figure of a page is not drawn like that of the report of the same run. Whether a view is
beautiful a machine does not see: look at the contact sheets, one for each width and scheme.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from sites import Server, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PICTURES = ROOT / "build/views"
AXE = ROOT / "build/npm/node_modules/axe-core/axe.min.js"
WIDTHS = (380, 768, 1440)
SCHEMES = ("light", "dark")
TALLEST = 6_000  # Pixels of a picture.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--force-color-profile=srgb", "--disable-sync"),
)
SETTINGS = """
[project]
name = "shapes"

[local.actions]
many = "flows.py:many"
media = "flows.py:media"
ship = "flows.py:ship"
tables = "flows.py:Tables"
words = "flows.py:words"

[actions.media]
wrap.publish = ["timing", { use = "retry", attempts = 5 }]
"""
# The runs, by what they are called here: what is run, and then what else is done about it.
RUNS = {
    "plots": "run flows.py:plots",
    "tables": "run tables",
    "groups": "run media",
    "chain": "run ship",
    "chain-failed": "run ship -p send.fail=true",
    "sweep": "run flows.py:train --over epochs=5,10,20 --over rate=0.01,0.1,0.4,0.7 --max-failed 3",
    "failed": "run flows.py:fails",
    "kept": "run flows.py:fails --on-failure keep",
    "stuck": "run flows.py:stuck",
    "undone": "run flows.py:undone",
    "items": "run flows.py:items",
    "many": "run many",
    "words": "run words -p target=متجر -p title=📷",
}
# More runs, so that the list has pages.
MORE = """
from contextlib import closing
import flows
from handrail.sqlite import SqliteJournal
with closing(SqliteJournal(".handrail/runs.db")) as journal:
    for number in range(60):
        flows.undone().run(journal=journal)
"""
# A plan as a notebook shows it.
NOTEBOOK = """
import flows
print("<!doctype html><html lang=en><title>Plan</title><main><h1>Plan</h1>")
print(flows.media().plan()._repr_html_())
"""
VIOLATIONS = """async () => {
  const { violations } = await axe.run(document, {
    preload: false,
    resultTypes: ["violations"],
    rules: { "target-size": { enabled: true } },
  });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.slice(0, 3).map(({ target, any }) => `${id}: ${target} ${any[0]?.message ?? help}`));
}"""
# Waits until the page is drawn as it is now.
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
CHECKS, FIGURES = ((HERE / f"{name}.js").read_text() for name in ("checks", "figures"))
SHEET = """<!doctype html><title>Views</title><style>
  body { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px; font: 12px sans-serif }
  a { width: var(--wide); overflow-wrap: anywhere; color: #222; background: #ddd }
  .wrong-True { outline: 3px solid red }
  img { display: block; width: 100%; max-height: 380px; object-fit: cover; object-position: top }
</style>"""


class Views:
    """Takes pictures of views, in a browser.

    Attributes:
        wrong: The names of pictures in which a machine has found something wrong.
    """

    def __init__(self, browser: Browser, names: list[str]) -> None:
        self.wrong: set[str] = set()
        self._names = tuple(names)
        self._taken: list[str] = []
        self._figures: dict[str, list[list[list[str]]]] = {}
        self._page = browser.new_context(reduced_motion="reduce").new_page()
        self._page.add_init_script(path=AXE)

    def open(self, address: str) -> None:
        """Open a page, such as the one that lets the browser in."""
        self._page.goto(address)

    def look(self, name: str, address: str) -> None:
        """Take pictures of a view, and check it.

        Args:
            name: `page-` or `report-`, and what is shown; its figures are the same in both.
            address: Its address.
        """
        if self._names and not name.startswith(self._names):
            return
        self.open(address)
        for width, scheme in product(WIDTHS, SCHEMES):
            self._page.emulate_media(color_scheme=scheme)
            self._page.set_viewport_size({"width": width, "height": 900})
            tall: int = self._page.evaluate("document.documentElement.scrollHeight")
            self._page.set_viewport_size({"width": width, "height": min(tall, TALLEST)})
            self._page.evaluate(DRAWN)
            picture = f"{name}-{width}-{scheme}"
            self._page.screenshot(path=PICTURES / f"{picture}.png", animations="disabled")
            wrong = [*self._page.evaluate(CHECKS), *self._other(picture)]
            # Colours do not depend on the width.
            if scheme == "light" or width == WIDTHS[-1]:
                wrong += self._page.evaluate(VIOLATIONS)
            if wrong:
                self.wrong.add(picture)
                print(f"{picture} is wrong:", *wrong, sep="\n  ", flush=True)
        self._taken.append(name)
        print(name, flush=True)

    def _other(self, picture: str) -> list[str]:
        """Return which figures look otherwise than where the same run was shown before."""
        now: list[list[list[str]]] = self._page.evaluate(FIGURES)
        before = self._figures.setdefault(picture.partition("-")[2], now)
        other = [] if len(now) == len(before) else [f"{len(now)} figures, were {len(before)}"]
        for place, figures in enumerate(zip(before, now, strict=False)):
            parts = next(
                (each for each in zip_longest(*figures, fillvalue=[]) if each[0] != each[1]), None
            )
            if parts is not None:
                differs = [
                    f"{was} is {value}" for was, value in zip(*parts, strict=False) if was != value
                ]
                name = " ".join((parts[0] or parts[1])[:2])
                other.append(f"figure {place} is drawn otherwise: <{name}> {'; '.join(differs)}")
        return other

    def make_sheets(self) -> None:
        """Put all pictures of a width and a scheme on a sheet."""
        self._page.set_viewport_size({"width": 1800, "height": 900})
        for width, scheme in product(WIDTHS, SCHEMES):
            names = [f"{name}-{width}-{scheme}" for name in self._taken]
            shown = [
                f'<a href="{name}.png" class="wrong-{name in self.wrong}">{name}'
                f'<img src="{name}.png" alt=""></a>'
                for name in names
            ]
            file = PICTURES / f"sheet-{width}-{scheme}.html"
            file.write_text(f"{SHEET}<body style='--wide: {180 + width // 6}px'>{''.join(shown)}")
            self.open(file.as_uri())
            self._page.screenshot(path=file.with_suffix(".png"), full_page=True)


def handrail(words: str, *, may_fail: bool = False) -> str:
    """Return what a command writes."""
    command = [sys.executable, "-m", "handrail", *words.split()]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode and not may_fail:
        sys.exit(f"handrail {words}: {done.stderr}")
    return done.stdout


@contextmanager
def project(folder: Path) -> Iterator[None]:
    """Work in a folder with the workflows, whose user has no key yet."""
    shutil.copy(HERE / "flows.py", folder)
    (folder / "handrail.toml").write_text(SETTINGS)
    before = os.getcwd()
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def start_waiting() -> subprocess.Popen[str]:
    """Start a run that goes on until it is killed."""
    Path("waiting").unlink(missing_ok=True)
    command = [sys.executable, "-m", "handrail", "run", "flows.py:waiting", "--quiet"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True)
    until(Path("waiting").exists)
    return process


def make_runs() -> dict[str, int]:
    """Make runs of every kind; return the numbers of those to look at, by their names."""
    subprocess.run([sys.executable, "-c", MORE], check=True, capture_output=True)
    for words in RUNS.values():
        handrail(f"{words} --quiet", may_fail=True)
    start_waiting().kill()
    listed = json.loads(handrail("runs --json --limit 50"))["runs"]
    names = [*RUNS, "interrupted"]
    numbers = [run["id"] for run in listed[: len(names)]]
    runs = dict(zip(names, reversed(numbers), strict=True))
    handrail(f"rollback {runs['undone']} --yes")
    return runs


def look_at_runs(views: Views, root: str, runs: dict[str, int]) -> None:
    """Show runs in reports, and in pages."""
    some = [runs["plots"], runs["failed"], runs["kept"]]
    for name, numbers in {
        **{name: [each] for name, each in runs.items()},
        "compared": some,
    }.items():
        file = Path(f"report-{name}.html").absolute()
        handrail(f"show {' '.join(map(str, numbers))} --html -o {file}")
        views.look(file.stem, file.as_uri())
        query = "&".join(f"run={number}" for number in numbers)
        path = f"runs/{numbers[0]}" if len(numbers) == 1 else f"compare?{query}"
        views.look(f"page-{name}", f"{root}/{path}")


def look_at_others(views: Views, root: str, runs: dict[str, int]) -> None:
    """Show what only a page has, and what only a notebook has."""
    for name, path in {
        "runs": "",
        "none-found": "?text=nothing+like+that",
        "plans": "plans",
        **{f"plan-{name}": f"plans/{name}" for name in ("many", "media", "ship", "words")},
        "packs": "packs",
        "undo": f"runs/{runs['tables']}/rollback",
        "resume": f"runs/{runs['kept']}/resume",
        "stop": f"runs/{runs['running']}/stop",
        "refused": f"runs/{runs['running']}/rollback",
        "no-such-run": "runs/99999",
        "no-such-page": "nothing",
        "no-such-plan": "plans/nothing",
    }.items():
        views.look(f"page-{name}", f"{root}/{path}")
    with Path("notebook.html").open("w") as file:
        subprocess.run([sys.executable, "-c", NOTEBOOK], check=True, stdout=file)
    views.look("notebook-plan", Path("notebook.html").absolute().as_uri())


def main(names: list[str]) -> int:
    """Take the pictures; return how the process ends."""
    from playwright.sync_api import sync_playwright

    if not AXE.is_file():
        sys.exit(f"there is no {AXE}: npm could not fetch axe-core; is there a network?")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    began = time.monotonic()
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="handrail-views-")))
        cleanup.enter_context(project(folder))
        playwright = cleanup.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        cleanup.callback(browser.close)
        views = Views(browser, names)
        server = Server("--allow-changes")
        cleanup.callback(server.stop)
        views.open(server.address)
        root = server.address.partition("?")[0].rstrip("/")
        views.look("page-empty", f"{root}/")
        runs = make_runs()
        waiting = start_waiting()
        cleanup.callback(waiting.kill)
        runs["running"] = json.loads(handrail("runs --json --limit 1"))["runs"][0]["id"]
        look_at_runs(views, root, runs)
        look_at_others(views, root, runs)
        views.make_sheets()
    print(f"{PICTURES}: {time.monotonic() - began:.0f}s, {len(views.wrong)} pictures are wrong")
    return 1 if views.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

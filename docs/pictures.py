"""Makes the pictures of the documentation, from what real commands show.

    nox -s pictures               makes all of them
    nox -s pictures -- report     those of the scenes whose names begin with that

A scene is a function below that takes a `Stage`: a folder of its own with the examples, in which it
runs commands, and a browser. Chromium is started from `CHROMIUM`, or `/usr/bin/chromium`.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from handrail_report import page as document
from handrail_report import plan_picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "docs/assets"
LARGEST = 150_000  # Bytes of a picture.
SCALES = (2.0, 1.5, 1.25, 1.0)  # Pixels of a picture for one of a stylesheet.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--force-color-profile=srgb", "--font-render-hinting=none"),
)
# Takes the names of this machine out of the texts of a page, also when it changes.
SAY_INSTEAD = """names => {
  const say = () => {
    const texts = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT)
    for (let text; (text = texts.nextNode()); )
      for (const [name, instead] of Object.entries(names))
        if (text.data.includes(name)) text.data = text.data.replaceAll(name, instead)
  }
  say()
  new MutationObserver(say).observe(document.body, {childList: true, subtree: true})
}"""


class Stage:
    """Where a scene is played.

    Attributes:
        folder: An empty folder with the examples of the repository, a project of its own.
    """

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self.folder = folder
        self._cleanup = cleanup
        (folder / "examples").symlink_to(ROOT / "examples")
        # Packs that the texts beside the pictures do not introduce.
        (folder / "handrail.toml").write_text('packs.disable = ["acme-audit", "acme-scan"]\n')

    def run(self, script: str, **variables: str) -> str:
        """Run commands, and return what they wrote; they may fail."""
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self._environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        shown = done.stdout
        for name, instead in self.names.items():
            shown = shown.replace(name, instead)
        return shown

    @contextmanager
    def serving(self, script: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """Run a server within the block; its output can be read."""
        with subprocess.Popen(
            ["bash", "-c", f"exec {script}"],
            cwd=self.folder,
            env=self._environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def terminal(self, name: str, *commands: str, columns: int = 80, **variables: str) -> None:
        """Make a picture of a terminal in which commands are run, as SVG."""
        colours = {"FORCE_COLOR": "1", "HANDRAIL_PROGRESS": "bar", "COLUMNS": str(columns)}
        lines: list[str] = []
        for command in commands:
            shown = self.run(command, **colours, **variables)
            lines += [*f"$ {command}".splitlines(), *shown.splitlines(), ""]
        keep(f"{name}.svg", terminal_svg(lines[:-1], columns).encode())

    def shot(
        self,
        name: str,
        address: str,
        *,
        width: int = 960,
        height: int = 640,
        of: str | None = None,
        dark: bool = False,
        act: Callable[[Page], object] | None = None,
    ) -> None:
        """Make a screenshot of a page, as sharp as its file may be large.

        Args:
            name: Name of the picture, without its ending.
            address: Address of the page; or the path of a file, relative to the folder.
            width: Width of the window, in pixels of a stylesheet.
            height: Its height.
            of: Selects the element that is shown; otherwise it is the window.
            dark: Whether colours are dark.
            act: What is done in the page before, such as a click.
        """
        for scale in SCALES:
            page = self.browser.new_page(
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce",
            )
            page.goto(address if "://" in address else (self.folder / address).as_uri())
            if act is not None:
                act(page)
            page.evaluate(SAY_INSTEAD, {**self.names})
            shown = page.locator(of).first if of else page
            picture = shown.screenshot(animations="disabled")
            page.close()
            if len(picture) <= LARGEST:
                break
        keep(f"{name}.png", picture)

    @cached_property
    def names(self) -> dict[str, str]:
        """What is shown in place of the names of this machine, the longest first."""
        user, host = getpass.getuser(), socket.gethostname()
        return {
            str(self.folder.resolve()): "/home/ada/shapes",
            str(ROOT): "/home/ada/handrail",
            f"{user} on {host}": "ada on build-7",
            f" on {host}": " on build-7",
            f" for {user}": " for ada",
        }

    @cached_property
    def browser(self) -> Browser:
        """A Chromium without a window, until the scene is over."""
        from playwright.sync_api import sync_playwright

        program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        playwright = self._cleanup.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        self._cleanup.callback(browser.close)
        return browser

    def _environment(self, **variables: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HANDRAIL_", "FORCE_"))}
        scripts = Path(sys.executable).parent
        path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, "USER": "ada", "LOGNAME": "ada", **variables}


def keep(name: str, picture: bytes) -> None:
    """Write a picture."""
    if len(picture) > LARGEST:
        sys.exit(f"{name} has {len(picture):,} bytes, more than {LARGEST:,}: show less of it")
    (ASSETS / name).write_bytes(picture)
    print(f"  {name}  {len(picture):,} bytes")


# A terminal as SVG

COLOURS = {"31": "red", "32": "green", "33": "yellow", "36": "cyan", "1": "bold", "2": "dim"}
STYLE = """
.terminal text { font: 13px ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas,
  "DejaVu Sans Mono", monospace; fill: #d8dee6; white-space: pre }
.terminal .bold { font-weight: 600; fill: #ffffff } .terminal .dim { fill: #8d99a6 }
.terminal .red { fill: #ff8f86 } .terminal .green { fill: #76d38b }
.terminal .yellow { fill: #ebc35f } .terminal .cyan { fill: #72c8e8 }
"""


def terminal_svg(lines: list[str], columns: int) -> str:
    """Return a picture of a terminal with these lines, which may have colours."""
    width, height = round(columns * 7.9) + 32, len(lines) * 19 + 28
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    rows = [
        f'<text x="16" y="{26 + number * 19}" xml:space="preserve">{"".join(spans(line))}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" class="terminal">\n<title>A terminal</title>\n'
        f"<desc>{escape(chr(10).join(plain))}</desc>\n<style>{STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#161b22"/>\n'
        f"{chr(10).join(rows)}\n</svg>\n"
    )


def spans(line: str) -> Iterator[str]:
    """Yield the parts of a line, each with its colours."""
    classes = ["bold"] if line.startswith("$ ") else []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b"):
            codes = part[2:-1].split(";")
            classes = [] if codes[-1] in ("", "0") else [COLOURS[code] for code in codes]
        elif part and classes:
            yield f'<tspan class="{" ".join(classes)}">{escape(part)}</tspan>'
        else:
            yield escape(part)


# Scenes

SCENES: dict[str, Callable[[Stage], object]] = {}


def scene(function: Callable[[Stage], object]) -> Callable[[Stage], object]:
    """Register a scene; its name is that of the function."""
    SCENES[function.__name__.replace("_", "-")] = function
    return function


UPLOAD = "examples/sample_collection/files"
# As the README has them: an upload, and one that is too large.
FIRST = f"handrail run upload {UPLOAD} store"
BUDGET = "handrail run examples/budget_upload/flows.py:BudgetUpload"
TOO_MUCH = f"{BUDGET} \\\n    {UPLOAD} store --budget 10kB"


@scene
def plan(stage: Stage) -> None:
    """The plan of an upload that other packs have shaped."""
    # What is installed on this machine makes no difference.
    (stage.folder / "handrail.toml").write_text('[packs.acme-scan]\nscanner = "builtin"\n')
    found = json.loads(stage.run(f"handrail plan upload {UPLOAD} store --json 2> notes"))
    shown = document("Plan", plan_picture(found))
    (stage.folder / "plan.html").write_text(shown, encoding="utf-8")
    stage.shot("plan-upload", "plan.html", width=720, of=".plan-picture")


@scene
def terminal(stage: Stage) -> None:
    """A terminal with an upload that fails, and is undone."""
    stage.run(f"{FIRST}; handrail rollback 1 --yes")
    stage.terminal("terminal", TOO_MUCH)


@scene
def report(stage: Stage) -> None:
    """The report of the same upload."""
    stage.run(
        f"{FIRST}; handrail rollback 1 --yes; {TOO_MUCH}; handrail show --html -o report.html"
    )
    stage.shot("report", "report.html", width=960, height=840, act=closed)
    stage.shot("report-dark", "report.html", width=960, height=840, act=closed, dark=True)


@scene
def sweep_report(stage: Stage) -> None:
    """What the report of a sweep draws, of the action that the guide to sweeps has."""
    guide = (ROOT / "docs/how-to/run-a-sweep.md").read_text(encoding="utf-8")
    flows = re.search(r'```python title="flows.py"\n(.*?)```', guide, re.DOTALL)
    assert flows is not None
    (stage.folder / "flows.py").write_text(flows[1], encoding="utf-8")
    over = "--over epochs=5,10,20,40 --over hyper.learning_rate=0.02,0.05,0.1,0.2,0.4"
    stage.run(f"handrail run flows.py:TrainAction {over}; handrail show 1 --html -o report.html")
    stage.shot("sweep-report", "report.html", width=960, of="#plots")


NIGHTLY = """
import time
from pathlib import Path
from handrail import action, parallel, step

@step(effects=False)
def fetch(context):
    return {"summary": "120 pictures"}

@step
def resize(context):
    for done in range(1, 70):
        context.record_rollback("made", f"small/{done}.png")
        context.set_progress(done, 120, "pictures")
    while not Path("go").exists():
        time.sleep(0.1)

@resize.rollback
def drop_small(context, result): ...

@step
def transcode(context):
    context.log("codec", {"name": "av1", "passes": 2})
    context.set_progress(3, 4, "films")
    while not Path("go").exists():
        time.sleep(0.1)

@step
def publish(context): ...

@publish.rollback
def withdraw(context, result): ...

nightly = action("nightly", [fetch, parallel("media", [[resize], [transcode]]), publish])
"""


@scene
def web(stage: Stage) -> None:
    """The page with the runs, and one that goes on."""
    (stage.folder / "night.py").write_text(NIGHTLY)
    stage.run(f"{FIRST}; handrail rollback 1 --yes; {TOO_MUCH}; {FIRST}")
    state = {"XDG_STATE_HOME": str(stage.folder / "state")}
    with (
        stage.serving("handrail run night.py:nightly 2>&1"),
        stage.serving("handrail web --port 0", **state) as page,
    ):
        assert page.stdout is not None
        address = page.stdout.readline().strip()
        stage.shot("web", address, width=1200, height=560, act=lambda page: runs(page, 4))
        stage.shot("web-run", address, width=960, height=900, act=lambda page: run(page, 4))


def runs(page: Page, latest: int) -> None:
    """Wait until the list has a run, and the page follows it."""
    page.get_by_role("link", name=str(latest), exact=True).first.wait_for()
    page.locator("#connection[data-state=live]").wait_for()


def run(page: Page, number: int) -> None:
    """Go to the page of a run, and wait until it is shown that its steps go on."""
    page.get_by_role("link", name=str(number), exact=True).first.click()
    page.get_by_text("transcode").first.wait_for()
    page.locator("#connection[data-state=live]").wait_for()
    page.evaluate("document.activeElement.blur()")


def closed(page: Page) -> None:
    """Close what is open, such as a traceback, to show what is below it."""
    page.evaluate("document.querySelectorAll('details').forEach(each => (each.open = false))")


def main(words: list[str]) -> None:
    """Play the scenes whose names begin with any of the words, or all."""
    chosen = {
        name: play for name, play in SCENES.items() if not words or name.startswith(tuple(words))
    }
    if not chosen:
        sys.exit(f"no scene begins like that; there are {', '.join(SCENES)}")
    for name, play in chosen.items():
        print(name)
        with ExitStack() as cleanup:
            temporary = tempfile.TemporaryDirectory(prefix="handrail-pictures-")
            play(Stage(Path(cleanup.enter_context(temporary)), cleanup))


if __name__ == "__main__":
    main(sys.argv[1:])

"""No text that comes from somewhere else can control the terminal, whatever it comes through."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from garden import Garden
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from recorded_runs import Journal, done, ended, noted, planned, started

from handrail.cli import main

PIECES = (
    *("\x1b]0;own\x07", "\x1b[2J", "\x1b[31mred", "\x1b(0", "\x9b31m", "\x9d0;own\x9c"),
    *("\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\u2029", "\x7f", "\x00", "\b\b\b", "\r"),
    *("\nFORGED", "\tx", "ü", "北", "name", " "),
)
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

PACK = '''
import json, os
from handrail import action, hookimpl, step
from pydantic import BaseModel, Field

def text():
    with open(os.environ["ACME_TEXT"]) as file:
        return json.load(file)

class Params(BaseModel):
    """What it takes."""
    name: str = Field(default=text(), description=text())
    fails: bool = False

@step
def send(context):
    """Send it."""
    context.log(text(), {text(): text()}, file=text())
    context.set_metrics({text(): 1.5}, text())
    context.set_progress(1, 2, text())
    context.record_rollback(text(), text())
    if context.options.fails:
        raise RuntimeError(f"the server said {text()}")
    return {"summary": text(), text(): text()}

@send.rollback
def unsend(context, result):
    context.log("undone", {text(): text()})
    raise OSError(text())

ship = action("ship", [send], params=Params)

@hookimpl
def setup_steps(action, registry): ...
'''

COMMANDS = (
    *("--help", "packs", "actions", "steps", "config", "doctor", "runs", "run --help"),
    *("plan ship", "plan {name}", "run {name} --help", "run ship --help", "run nothing{name}"),
    *("run ship", "run ship --fails", "run ship --params params.json", "run ship -p {name}=1"),
    *("run ship --fails --debug --no-journal", "run {name} --no-journal", "run ship --dry-run"),
    *("show 1", "show 1 --all", "show 1 --traceback", "show 1 --step {step}", "rollback 1"),
    *("resume 1", "rollback 1 --dry-run", "{name}", "lock --check", "plan ship --explain {name}"),
    *("run ship --json", "show 1 --json", "packs --json", "run {name} --only {name}"),
    *("check acme-odd", "upload verify {name}", "export verify {name}", "models list {name}"),
    *("show 1 2", "show 1 --html", "show 1 2 --html", "show 1 2 --json"),
    *("claims {name}", "upload --help", "new flow --into {name}", "--no-pack {name} packs"),
)


@dataclass
class Place:
    """A project with a pack, a lock and a run, in all of which there is one text."""

    folder: Path
    site: Path
    text: str

    def words(self, line: str) -> list[str]:
        name = self.text.replace("\0", "")  # No argument of a process has it.
        words = [word.format(name=name, step=f"s{self.text}") for word in line.split()]
        # The pack with the odd metadata is broken, so nothing is planned with it.
        return [*words, "--no-pack", "acme-odd"] if words[0] in ("run", "plan") else words

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: each for name, each in os.environ.items() if "HANDRAIL" not in name}
        return {**kept, "ACME_TEXT": str(self.folder / "text.json")}


def plant(folder: Path, text: str) -> Place:
    """Put `text` wherever a name or a value is read from."""
    garden = Garden(folder)
    project = garden.project
    (project / "text.json").write_text(json.dumps(text))
    (project / "params.json").write_text(json.dumps({text: text}))
    # Pydantic, too, reads all entry points, and trips over a line without a value.
    one_line = re.sub(r"[\n\r\0=\[\]:#;\u2028\u2029]|\s+$|^\s+", "_", text)
    points = {"actions": {"ship": "acme_ship:ship"}, "packs": {"ship": "acme_ship"}}
    garden.plant("acme-ship", "1.0", points=points, modules={"acme_ship/__init__.py": PACK})
    garden.plant(
        "acme-odd",
        f"1.0{one_line}",
        points={
            "actions": {f"a{one_line}": "acme_ship:ship"},
            "steps": {f"s{one_line}": "acme_ship:send"},
            "packs": {f"p{one_line}": "acme_ship"},
            "commands": {f"c{one_line}": "acme_ship:ship"},
        },
        modules={},
        summary=one_line,
    )
    name = json.dumps(text.replace("\0", ""))
    (project / "handrail.toml").write_text(
        f'[project]\nname = {name}\n[workflows.{name}]\nextends = "ship"\n'
        f"[workflows.{name}.params]\nname = {name}\n"
        f'[packs.{name}]\n{name} = {name}\n[local.steps]\n{name} = "gone.py:x"\n'
    )
    journal = Journal(project)
    plan = [planned(f"s{text}"), planned("b")]
    origin = {"pack": f"p{text}", "version": text, "module": text, "file": text, "line": 1}
    plan[1]["origin"] = origin
    for number in range(2):
        journal.add(
            plan,
            started(f"s{text}"),
            noted(f"s{text}", f"k{text}", text, {text: text}),
            done(f"s{text}", **{text: [text]}),
            ended("b", "failed", error=f"said {text}", traceback=f"Traceback\n  {text}\n"),
            outcome="failed" if number else "rolled_back",
            action=text if number else "ship",
            params=json.dumps({"values": {text: text}, "secrets": {}, "json": [], "hidden": {}}),
            cwd=str(project) if number else text,
            project=str(project),
        )
    for each in journal.opened:
        each.close()
    return Place(folder=project, site=garden.site, text=text)


def check(output: str, about: object) -> None:
    """Check that all of `output` is harmless, and that no line of it is forged."""
    found = HARMFUL.search(output)
    assert found is None, (about, output[max(0, found.start() - 60) :][:120])
    # The lines of a document are not those that one sees.
    lines = [] if output.startswith("<!doctype html>") else output.split("\n")
    assert not [line for line in lines if line.startswith("FORGED")], (about, output)


@contextlib.contextmanager
def within(place: Place) -> Iterator[None]:
    """Work in the project, with its pack installed."""
    before, folder, path, modules = dict(os.environ), os.getcwd(), list(sys.path), set(sys.modules)
    os.environ.clear()
    os.environ.update(place.variables)
    os.chdir(place.folder)
    sys.path.insert(0, str(place.site))
    try:
        yield
    finally:
        sys.path[:] = path
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
        for name in set(sys.modules) - modules:
            if name.startswith("acme"):
                del sys.modules[name]


def called(words: list[str]) -> tuple[int, str, str]:
    """Call `handrail` in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    texts = [each.buffer.getvalue().decode() for each in (out, err)]  # type: ignore[attr-defined]
    return code, *texts


@pytest.mark.slow
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@example(text="".join(PIECES))
@given(text=TEXTS)
def test_no_command_writes_a_character_that_controls_a_terminal(text: str) -> None:
    """Whether it comes from a file, a journal, a pack, its steps or the command line."""
    with tempfile.TemporaryDirectory() as folder:
        place = plant(Path(folder), text)
        with within(place):
            for line in COMMANDS:
                _, out, err = called(place.words(line))
                check(out, (line, text))
                check(err, (line, text))
                assert "Handrail's own errors" not in err, (line, err)


# The escapes with which Handrail moves its line, and its colours.
OURS = re.compile(r"\r(?=\n|\x1b\[(?:J|2K|1A))|\x1b\[(?:J|2K|1A|999G|\?25[lh])|\x1b\[(?:\d+;)*\d*m")


@pytest.mark.parametrize(
    "line", ["run ship --fails", "run ship", "show 2 --all", "packs", "plan ship", "run --help"]
)
def test_on_a_terminal_there_are_our_own_escapes_only(tmp_path: Path, line: str) -> None:
    """The colours and the line that moves stay, beside what is spelled out."""
    place = plant(tmp_path, "".join(PIECES))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "handrail", *place.words(line)],
        cwd=place.folder,
        env={**place.variables, "PYTHONPATH": str(place.site), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # The other end is closed.
        while more := os.read(ours, 65536):
            written += more
    os.close(ours)
    process.wait(timeout=60)
    output = written.decode()
    assert "--help" in line or "\x1b[" in output
    assert "cannot be imported" not in output
    check(OURS.sub("", output), line)

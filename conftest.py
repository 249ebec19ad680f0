"""Runs the examples in README.md and docs/ as tests, and shares that with the other tests.

A `python` block is executed; with a title, such as `title="flows.py"`, it is saved under that name
too, and so is a `toml` or `sql` block with a title. A `text` block with the title `Output` is what
the block before it prints. A `console` block is run by bash in the folder of those files; one with
the title `With acme-greet` is run by tests/ecosystem, where that pack is installed. Where the
output has changed for a good reason, `HANDRAIL_DOCS=write pytest README.md docs` writes what it is
now.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sybil import Document, Example, Lexeme, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from handrail.redact import KNOWN

ROOT = Path(__file__).parent

# What is imported until the tests begin is compiled once, for all processes. Tests, and processes
# that they start, leave no bytecode: they write modules anew, within the second that the time of a
# compiled one tells.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = False

# The lines of a command do not depend on the terminal that the tests run in.
os.environ.pop("COLUMNS", None)
# Servers that any test may ask for; they start when one does.
sys.path.insert(0, str(ROOT / "tests" / "support"))
pytest_plugins = ["servers.fixtures", "reaping", "warm"]

# How fast this machine is now says nothing about the code. A property is tried with other examples
# by each Python and in each run; the wide sessions try as many as is usual.
hypothesis.settings.register_profile(
    "any-machine",
    deadline=None,
    max_examples=100 if {"HANDRAIL_FAULTS", "HANDRAIL_FUZZ"} & os.environ.keys() else 40,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any-machine")

# What is ignored here is ignored by every process that is started from here, and a job in the
# background, or under nohup, begins like that. The tests of signals need the defaults.
for number, default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        with contextlib.suppress(ValueError):  # Not the main thread.
            signal.signal(number, default)

# Of a slow test with more cases than that, such as a kill at each write, so many run, from the
# first to the last; `nox -s faults` runs all.
CASES = 6


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases of slow tests that have many, at even distances."""
    if "HANDRAIL_FAULTS" in os.environ or any("::" in word for word in config.args):
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("slow"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    spared = {
        id(item)
        for found in cases.values()
        if len(found) > CASES
        for number, item in enumerate(found)
        if number not in {step * (len(found) - 1) // (CASES - 1) for step in range(CASES)}
    }
    if spared:
        config.hook.pytest_deselected(items=[item for item in items if id(item) in spared])
        items[:] = [item for item in items if id(item) not in spared]


INFO = re.compile(r"(?P<language>\w+)(?P<options>[^\n]*)\n")
MARK = "--handrail-docs--"
NO_PACKS = 'title="With no packs"'  # Help lists what is installed, which differs.

# What differs from run to run, and from machine to machine.
VARIABLE = (
    (re.compile(r"\d[\d.]* [kMG]?B/s"), "RATE"),
    (re.compile(r" *\b(\d+m )?\d+(\.\d+)?s\b"), " 0.0s"),
    (re.compile(r"={5,}"), "====="),  # pytest fills its lines, so a longer time shortens the rule.
    (re.compile(r" ago · \S+ on \S+"), " ago · USER on HOST"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "RUN"),
    (re.compile(r"plan [0-9a-f]{8}\b"), "plan ID"),
    (re.compile(r"\b(\d{4}-\d\d-\d\d|\d\d [A-Z][a-z]{2}) \d\d:\d\d(:\d\d)?\b"), "TIME"),
    (re.compile(r"\(\S+ on [^\s,]+, TIME\)"), "(USER on HOST, TIME)"),
    (re.compile(r"\brecorded for \S+ on \S+"), "recorded for USER on HOST"),
    # Where the name of the machine is long, it goes to the next line.
    (re.compile(r"(?: · |\n  )owner pid \d+ on \S+"), " · owner pid ID on HOST"),
    (re.compile(r"\bpid \d+ on \S+"), "pid ID on HOST"),
    # The user and the journal follow where two journals of one machine have runs of one number.
    (re.compile(r"\brun (\d+) on [^\s:,]+( \(user [^)]*\))?"), r"run \1 on HOST"),
    (re.compile(r"\bTIME by \S+"), "TIME by USER"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"Python 3\.\d+\.\d+\S*"), "Python VERSION"),
    # What a training shows, where another processor or library rounds otherwise.
    (
        re.compile(
            r"(\w*loss|\w*accuracy|macro.f1|auc|\w*precision|calibration.error|r2|rmse|mae)"
            r"([= ]|  )\d[\d.e-]*",
            re.IGNORECASE,
        ),
        "FIGURE",
    ),
    (re.compile(r"\bobjects/[0-9a-f]{2}/[0-9a-f]{64}\b"), "OBJECT"),
    # Where a model comes from has names in it, of other lengths elsewhere.
    (re.compile(r"\blineage +\d+ B +objects/\S+\s+\S+"), "LINEAGE"),
    (re.compile(r"\bin models · \d+ kB|(?<=objects deleted \()\d+ kB"), "SIZE"),
    (re.compile(r"\b(scikit-learn|skops|numpy) \d[\d.]+"), "LIBRARY"),
)
SCRIPTS = Path(sysconfig.get_path("scripts"))

Rewrite = tuple[int, int, str]
rewrites: dict[str, list[Rewrite]] = {}


def run_session(source: str, folder: Path, scripts: Path = SCRIPTS, **variables: str) -> str:
    """Run the `$ ` lines of a shell session in `folder`; return the session with its output."""
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)", source, re.MULTILINE)
    script = "".join(f"{command}\ncode=$?; echo '{MARK}'; (exit $code)\n" for command in commands)
    # Where CI is set, pytest for one shortens nothing.
    ours = ("HANDRAIL_", "FORCE_COLOR")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours) and k != "CI"}
    import warm  # noqa: PLC0415 - pytest has to import it first

    # Another environment has another Handrail.
    places = warm.scripts(scripts) if scripts == SCRIPTS else [scripts]
    environment = {
        **kept,
        "PATH": os.pathsep.join((*map(str, places), os.environ["PATH"])),
        "COLUMNS": "100",
        "HANDRAIL_PROGRESS": "bar",  # As on a terminal, where the moving line is gone in the end.
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
        "VIRTUAL_ENV": str(scripts.parent),
        **variables,
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    text = done.stdout.replace(str(scripts.parent), ".venv").replace(str(folder), "~")
    outputs = text.split(f"{MARK}\n")
    shown = [f"$ {command}\n{output}" for command, output in zip(commands, outputs, strict=False)]
    # A blank line after what has printed something.
    return "".join(f"{each}\n" if each.count("\n") > 1 else each for each in shown).rstrip() + "\n"


def plain(text: str) -> list[str]:
    """Return the lines of `text` without what varies, and without blank lines."""
    for pattern, stand_in in VARIABLE:
        text = pattern.sub(stand_in, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def same(shown: str, real: str) -> bool:
    """Whether `shown` is `real`; a line `...` stands for any lines."""
    lines = ("(?:.*\n)*" if line == "..." else f"{re.escape(line)}\n" for line in plain(shown))
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in plain(real))) is not None


def folder_of(example: Example) -> Path:
    """Return the folder that the examples of this document work in; `setup` made it."""
    return Path(example.namespace["_folder"].name)


def check(example: Example, shown: str, real: str) -> None:
    """Compare what a document shows with what there really is, or note the difference."""
    if same(shown, real):
        return
    if os.environ.get("HANDRAIL_DOCS") != "write":
        raise AssertionError(f"the output is now:\n\n{real}")
    start = example.region.start + example.document.text[example.region.start :].index("\n") + 1
    rewrites.setdefault(example.path, []).append((start, start + len(shown), real.rstrip() + "\n"))


def run_python(example: Example) -> None:
    """Execute a block, keep what it prints, and save it where it has a title."""
    title = re.search(r'title="([^"]+)"', example.region.lexemes["options"])
    if title:
        (folder_of(example) / title[1]).write_text(str(example.parsed), encoding="utf-8")
    here = Path.cwd()
    example.namespace["_output"] = None
    with contextlib.redirect_stdout(io.StringIO()) as output:
        os.chdir(folder_of(example))
        try:
            PythonEvaluator()(example)
        finally:
            os.chdir(here)
    example.namespace["_output"] = output.getvalue()


def save(example: Example) -> None:
    """Save a block under its title."""
    title = re.search(r'title="([^"]+)"', example.region.lexemes["options"])
    assert title is not None
    (folder_of(example) / title[1]).write_text(str(example.parsed), encoding="utf-8")


def check_output(example: Example) -> None:
    """Compare a block with what the one before it printed."""
    output = example.namespace["_output"]
    assert output is not None, "the block before it failed"
    check(example, str(example.parsed), output)


def check_session(example: Example) -> None:
    """Run a shell session and compare what it shows."""
    variables = {}
    if NO_PACKS in example.region.lexemes["options"]:
        variables["HANDRAIL_ONLY_PACKS"] = ""
    real = run_session(str(example.parsed), folder_of(example), **variables)
    check(example, str(example.parsed), real)


def parse(document: Document) -> Iterator[Region]:
    """Yield the blocks that are tested."""
    for region in RawFencedCodeBlockLexer(INFO)(document):
        language, options = region.lexemes["language"], region.lexemes["options"]
        source = region.lexemes["source"]
        assert isinstance(source, Lexeme)
        evaluator: Callable[[Example], None] | None = None
        if language == "python" and not str(source).startswith("--8<--"):
            evaluator = run_python
        elif language in ("toml", "sql") and "title=" in options:
            evaluator = save
        elif language == "text" and 'title="Output"' in options:
            evaluator = check_output
        elif language == "console" and ("title=" not in options or NO_PACKS in options):
            evaluator = check_session
        if evaluator is not None:
            region.parsed, region.evaluator = source, evaluator
            yield region


def setup(namespace: dict[str, Any]) -> None:
    """Make the folder that the examples of one document work in."""
    folder = tempfile.TemporaryDirectory(prefix="handrail-docs-")
    namespace["_folder"] = folder
    Path(folder.name, "examples").symlink_to(ROOT / "examples")
    sys.path.insert(0, folder.name)  # so that one file of an example can import another


def teardown(namespace: dict[str, Any]) -> None:
    """Remove it, and what was imported from it."""
    folder = namespace.pop("_folder")
    sys.path.remove(folder.name)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(folder.name):
            del sys.modules[name]
    folder.cleanup()


pytest_collect_file = Sybil(
    parsers=[parse, SkipParser()],
    patterns=["README.md", "core/README.md", "plugins/*/README.md", "docs/*.md", "docs/**/*.md"],
    setup=setup,
    teardown=teardown,
).pytest()


@pytest.fixture(scope="session")
def shell_session() -> Callable[..., str]:
    """Run a shell session as the documentation shows it: `run_session`."""
    return run_session


@pytest.fixture(scope="session")
def same_output() -> Callable[[str, str], bool]:
    """Compare two outputs without what varies: `same`."""
    return same


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Keep the examples of one document, and the tests of one file, in one process and in order.

    Of the wide sweeps a single file takes most of the time: there each test goes where there is
    nothing to do.
    """
    from xdist.scheduler import LoadFileScheduling, LoadScheduling  # noqa: PLC0415 - it may be absent

    wide = "HANDRAIL_FAULTS" in os.environ
    return (LoadScheduling if wide else LoadFileScheduling)(config, log)


def pytest_collection_finish() -> None:
    """From here on, write no bytecode; see above."""
    sys.dont_write_bytecode = True


def pytest_sessionfinish() -> None:
    """Write the outputs that have changed, if that was asked for."""
    for path, changes in rewrites.items():
        text = Path(path).read_text(encoding="utf-8")
        for start, end, real in sorted(changes, reverse=True):
            text = text[:start] + real + text[end:]
        Path(path).write_text(text, encoding="utf-8")
        print(f"\nwrote {len(changes)} outputs into {path}", file=sys.stderr)


@pytest.fixture(autouse=True)
def no_known_secrets() -> Iterator[None]:
    """Let no test hide a text because another one has used it as a secret."""
    yield
    KNOWN.forget()

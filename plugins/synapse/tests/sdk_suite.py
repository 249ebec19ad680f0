"""Runs the SDK's own tests, as they are, with the aliases in the place of the SDK.

They are in the source archives of the SDK, which are downloaded from the index; nothing of them is
kept. `nox -s sdk` runs this; `nox -s sdk -- --write` writes the page of the documentation with the
figures too.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

PAGE = Path(__file__).resolve().parents[3] / "docs" / "packs" / "synapse-tests.md"

# The version of the page about step orchestration, and the newest one whose archive has tests.
VERSIONS = ("2026.1.1b5", "2026.2.8")
FOLDERS = (
    "tests/plugins/steps",
    "tests/integration/plugins/steps",
    "tests/unit/test_loggers_*.py",
    "tests/plugins/context",
    "tests/plugins/actions/upload",
    "tests/plugins/actions/export",
    "tests/plugins/actions/train",
)

MAIN = """\
import sys
import handrail_synapse
assert handrail_synapse.install(), "the SDK itself is installed"
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
OPTIONS = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "ignore", "-c")

# Why tests fail, by what their message is found to say.
REASONS = (
    (r"(?:synapse_sdk\.?(\S*)) has no '(\w+)'", "`{0}.{1}` is not there"),
    (r"No module named '(\w+)'", "`{0}` is not installed"),
    (r"__module__|assert 'handrail\S*' == 'synapse_sdk", "looks at the `__module__` of a class"),
    (r"handrail_\S+'> does not have the attribute '(\w+)'", "replaces `{0}` in a module"),
    (r"has no attribute '(\w+)'", "`{0}` is not there"),
    (r"DID NOT RAISE", "expects an error"),
)


@dataclass
class File:
    """The tests of one file.

    Attributes:
        name: Its path, below the folder of the tests.
        passed: How many passed.
        total: How many there are.
        reasons: Why others failed, each with how many.
    """

    name: str
    passed: int = 0
    total: int = 0
    reasons: dict[str, int] = field(default_factory=dict[str, int])


def archive(version: str, folder: Path) -> Path:
    """Download the source archive of a version; return the folder with its contents."""
    wanted = ["--no-deps", "--no-binary", "synapse-sdk", f"synapse-sdk=={version}"]
    command = [sys.executable, "-m", "pip", "download", "-q", "--dest", str(folder), *wanted]
    subprocess.run(command, check=True)
    (packed,) = folder.glob(f"synapse_sdk-{version}.tar.gz")
    with tarfile.open(packed) as file:
        file.extractall(folder, filter="data")
    # Beside its tests, the code of the SDK would be found in the place of the aliases.
    unpacked = folder / f"synapse_sdk-{version}"
    (unpacked / "synapse_sdk").rename(unpacked / "not_imported")
    return unpacked


def files(root: Path) -> Iterator[Path]:
    """Yield the files of tests, in their order."""
    for named in FOLDERS:
        found = root.glob(named) if "*" in named else (root / named).rglob("test_*.py")
        yield from sorted(found)


def run(root: Path, path: Path) -> File:
    """Run the tests of a file in a process of its own."""
    made = File(path.relative_to(root / "tests").as_posix())
    report = root / "report.xml"
    report.unlink(missing_ok=True)
    empty = root / "pytest.ini"
    empty.write_text("[pytest]\nasyncio_mode = auto\n")
    words = [*OPTIONS, str(empty), "--rootdir", str(root), f"--junitxml={report}", str(path)]
    try:
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MAIN, *words],
            cwd=root,
            capture_output=True,
            check=False,
            timeout=300,
        )
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    except (OSError, subprocess.TimeoutExpired) as error:
        made.total = tests_in(path)
        made.reasons = {f"cannot be run: {type(error).__name__}": made.total}
        return made
    for case in cases:
        problem = next((each for each in case if each.tag in ("failure", "error")), None)
        if problem is None:
            made.passed += case.find("skipped") is None
            made.total += case.find("skipped") is None
            continue
        cannot = "collection failure" in (problem.get("message") or "")
        failed = tests_in(path) if cannot else 1
        made.total += failed
        why = reason(f"{problem.get('message')}\n{problem.text}")
        made.reasons[why] = made.reasons.get(why, 0) + failed
    return made


def tests_in(path: Path) -> int:
    """Return how many tests a file has, if it cannot be imported: those of many cases once."""
    try:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    except SyntaxError:
        return 0
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return sum(isinstance(node, kinds) and node.name.startswith("test_") for node in nodes)


def reason(text: str) -> str:
    """Return why a test failed, in a few words."""
    for pattern, told in REASONS:
        found = re.search(pattern, text)
        if found:
            return told.format(*found.groups()).replace("`plugins.actions.", "`")
    errors = re.findall(r"^E +(.*)$", text, re.MULTILINE)
    first = (errors or text.strip().splitlines() or [""])[0]
    return f"`{first[:90].replace('|', '/').replace('`', '')}`"


def table(version: str, results: Iterable[File]) -> Iterator[str]:
    """Yield the lines of a table of results."""
    found = list(results)
    passed, total = sum(each.passed for each in found), sum(each.total for each in found)
    yield f"## {version}: {passed} of {total}"
    yield ""
    yield "| file | passed | of | the others |"
    yield "|---|---|---|---|"
    for each in found:
        why = ", ".join(
            told if count == 1 else f"{told} ({count})" for told, count in each.reasons.items()
        )
        yield f"| `{each.name}` | {each.passed} | {each.total} | {why} |"
    yield ""


def main(words: list[str]) -> None:
    """Run the tests that are asked for, and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page of the documentation")
    parser.add_argument("--only", default="", help="run only files with this in their path")
    parser.add_argument("--version", action="append", choices=VERSIONS, help="only this version")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    asked = parser.parse_args(words)
    lines: list[str] = []
    kept: dict[str, list[File]] = {}
    for version in asked.version or VERSIONS:
        with tempfile.TemporaryDirectory(prefix="synapse-sdk-") as folder:
            root = archive(version, Path(folder))
            chosen = [path for path in files(root) if asked.only in str(path)]
            results = kept[version] = []
            for path in chosen:
                results.append(run(root, path))
                last = results[-1]
                print(f"{version}  {last.passed:>4} of {last.total:<4} {last.name}", flush=True)
            lines += table(version, results)
    print("\n".join(lines))
    if asked.json:
        told = {name: [vars(each) for each in several] for name, several in kept.items()}
        asked.json.write_text(json.dumps(told, indent=1))
    if asked.write:
        above = PAGE.read_text(encoding="utf-8").partition("\n## ")[0].rstrip()
        PAGE.write_text("\n".join([above, "", *lines]).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

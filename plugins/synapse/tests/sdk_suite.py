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
import json, sys
import handrail_synapse
assert handrail_synapse.install(), "the SDK itself is installed"
import pytest

class Recorder:
    def __init__(self):
        self.found = {}
    def note(self, report, outcome):
        self.found.setdefault(report.nodeid, [outcome, report.longreprtext])
    def pytest_collectreport(self, report):
        if report.failed:
            self.note(report, "not collected")
    def pytest_runtest_logreport(self, report):
        if report.failed or report.skipped or report.when == "call":
            self.note(report, report.outcome)

recorder = Recorder()
pytest.main(sys.argv[2:], plugins=[recorder])
with open(sys.argv[1], "w") as file:
    json.dump(recorder.found, file)
"""
OPTIONS = (
    *("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "ignore"),
    *("--continue-on-collection-errors", "-c"),
)

# Why tests fail, by what their message is found to say.
REASONS = (
    (r"(?:synapse_sdk\.?(\S*)) has no '(\w+)'", "`{0}.{1}` is not there"),
    (r"No module named '(\w+)'", "`{0}` is not installed"),
    (r"__module__|assert 'handrail\S*' == 'synapse_sdk", "looks at the `__module__` of a class"),
    (r"\(handrail_synapse\)> does not have the attribute '(\w+)'", "replaces `{0}` in a module"),
    (r"\(handrail_synapse\)> is a built-in module", "reads the source of a module"),
    (r"has no attribute '(\w+)'", "`{0}` is not there"),
    (r"DID NOT RAISE", "expects an error"),
    (r"DID NOT WARN|assert 0 >= 1|Expected 'warning' to have been", "expects a warning"),
    (r"^E +assert 6 == 9|'finalize'\] == \['init|< 1e-09", "expects nine steps"),
    (r"nothing to run", "another text of an error"),
)
# And if it says none of those, by what their file is about.
FILES = {
    "test_initialize_session.py": "opens a storage by a method of the SDK's client",
    "test_run_end_to_end.py": "opens a storage by a method of the SDK's client",
    "test_action_failure_emission.py": "other texts for the causes of failures",
    "test_export_action_progress_proportions.py": "shares of an export without steps",
    "test_partial_page_failures.py": "exports that go on without some pages",
    "test_exporter_pr_a.py": "other texts of messages",
    "test_export_filter_allowlist.py": "another text of an error",
    "test_loggers_joblog_unconfirmed.py": "another text of a warning",
    "test_loggers_logging_module.py": "logs by `logging` too",
    "test_models.py": "another code of an error",
    "test_integration.py": "a storage is a mock",
    "test_upload_strategy.py": "an answer of the client is a mock",
}


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

    def add(self, outcome: str, count: int, text: str) -> None:
        """Add the outcome of `count` tests."""
        self.total += count
        if outcome == "passed":
            self.passed += count
        else:
            why = reason(self.name, text)
            self.reasons[why] = self.reasons.get(why, 0) + count


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


def files(root: Path, folder: str) -> list[Path]:
    """Return the files of tests in a folder, in their order."""
    return sorted(root.glob(folder) if "*" in folder else (root / folder).rglob("test_*.py"))


def run(root: Path, paths: list[Path]) -> list[File]:
    """Run the tests of files in one process; each in its own, if some of them end it."""
    found = outcomes(root, paths)
    if found is None and len(paths) > 1:
        return [each for path in paths for each in run(root, [path])]
    sources = {path.relative_to(root).as_posix(): path for path in paths}
    made = {name: File(name.removeprefix("tests/")) for name in sources}
    if found is None:
        ((name, path),) = sources.items()
        made[name].add("not run", tests_in(path), "E   it ends the process of the tests")
        return [made[name]]
    for node, (outcome, text) in found.items():
        name = node.partition("::")[0]
        if outcome != "skipped":
            count = tests_in(sources[name]) if outcome == "not collected" else 1
            made[name].add(outcome, count, text)
    return list(made.values())


def outcomes(root: Path, paths: list[Path]) -> dict[str, tuple[str, str]] | None:
    """Return the outcome of each test, and what is said of it; None if the process ended early."""
    report, settings = root / "report.json", root / "pytest.ini"
    report.unlink(missing_ok=True)
    settings.write_text("[pytest]\nasyncio_mode = auto\n")
    words = [*OPTIONS, str(settings), "--rootdir", str(root), *map(str, paths)]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAIN, str(report), *words],
        cwd=root,
        capture_output=True,
        check=False,
        timeout=1800,
    )
    found: dict[str, tuple[str, str]] | None = (
        json.loads(report.read_text()) if report.exists() else None
    )
    return found


def tests_in(path: Path) -> int:
    """Return how many tests a file has, if it cannot be imported: those of many cases once."""
    try:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    except SyntaxError:
        return 0
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return sum(isinstance(node, kinds) and node.name.startswith("test_") for node in nodes)


def reason(name: str, text: str) -> str:
    """Return why a test of a file failed, in a few words."""
    for pattern, told in REASONS:
        found = re.search(pattern, text, re.MULTILINE)
        if found:
            return told.format(*found.groups()).replace("`plugins.actions.", "`")
    file = name.rpartition("/")[2]
    if file in FILES:
        return FILES[file]
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
            results = kept[version] = []
            for named in FOLDERS:
                paths = [path for path in files(root, named) if asked.only in str(path)]
                results += run(root, paths) if paths else []
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

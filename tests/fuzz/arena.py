"""Runs one command line in a process of its own and says what must never be seen of it."""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import re
import select
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import handrail
import handrail_upload
from handrail.cli import main

CODES = {0, 1, 2, 3, 4, 5, 6, 7, 130}
SECONDS = 30.0  # No call here has work for more than one.
ESCAPED = 99  # The exit code of a call that let an exception out.

# What is shown of an error that nobody has foreseen.
UNFORESEEN = ("Traceback (most recent call last)", "not one of Handrail's own errors")
# With these, tracebacks are shown: that of an error, or what a run has recorded of its steps.
ASKS_FOR_TRACEBACKS = {"--debug", "--traceback", "--json"}
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call has ended.

    Attributes:
        code: Its exit code; None if it had to be killed.
        out: Its standard output.
        err: Its standard error.
    """

    code: int | None
    out: str
    err: str


def load_all() -> None:
    """Import what calls import, so that each process of a call has it already."""
    for package in (handrail, handrail_upload):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def call(
    arguments: Sequence[str],
    *,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    given: bytes = b"",
    site: Path | None = None,
) -> Ending:
    """Run `handrail` with `arguments` in a forked process and return how it has ended.

    Args:
        arguments: The words after `handrail`.
        folder: Its working folder.
        variables: Its environment variables, besides those that a program needs.
        given: Its standard input.
        site: A folder of distributions that are installed besides.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with tempfile.TemporaryFile() as source:
            source.write(given)
            source.seek(0)
            child = os.fork()
            if child == 0:
                _be(arguments, folder, variables or {}, site, (source, out, err))
        code = _wait(child)
        out.seek(0)
        err.seek(0)
        return Ending(
            code=code,
            out=out.read().decode("utf-8", "surrogateescape"),
            err=err.read().decode("utf-8", "surrogateescape"),
        )


def _be(
    arguments: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    site: Path | None,
    files: Sequence[io.BufferedRandom],
) -> None:
    """Be the process of the call. This does not return."""
    code = ESCAPED
    try:
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8")  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        os.chdir(folder)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        os.environ.clear()
        os.environ.update(kept, HOME=str(folder))
        os.environ.update(variables)
        sys.argv = ["handrail", *arguments]
        if site is not None:
            sys.path.insert(0, str(site))
        code = main(arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else ESCAPED
    except BaseException:  # noqa: BLE001 - that is what is looked for
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code & 0xFF)


def _wait(child: int) -> int | None:
    """Return the exit code of a process, or None if it took so long that it had to be killed."""
    handle = os.pidfd_open(child)
    try:
        ended, _, _ = select.select([handle], [], [], SECONDS)
    finally:
        os.close(handle)
    if not ended:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else None


def judge(ending: Ending, arguments: Sequence[str]) -> None:
    """Fail the test if a call hung, ended as no call may end, or showed what is not to be seen."""
    shown = f"\n--- handrail {arguments!r}\n--- out\n{ending.out}\n--- err\n{ending.err}"
    assert ending.code is not None, f"the call did not end in {SECONDS:.0f} s{shown}"
    assert ending.code in CODES, f"exit code {ending.code} is not documented{shown}"
    both = ending.out + ending.err
    if not ASKS_FOR_TRACEBACKS & set(arguments):
        for text in UNFORESEEN:
            assert text not in both, f"an error that nobody has foreseen{shown}"
    raw = RAW.search(both)
    assert raw is None, f"{raw and raw[0]!r} reaches the terminal{shown!r}"


class Arena:
    """A folder in which calls are tried, put back to how it was before each."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._kept = folder / "work", folder / "kept"
        self.folder.mkdir(parents=True)

    def __repr__(self) -> str:
        return self.folder.parent.name

    def keep(self) -> None:
        """Take what is there now for the beginning of each try."""
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self.folder, self._kept, symlinks=True)

    def put_back(self) -> None:
        """Put everything back to the beginning."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept, self.folder, symlinks=True)

    def check(
        self,
        *arguments: str,
        given: bytes = b"",
        variables: Mapping[str, str] | None = None,
        site: Path | None = None,
    ) -> Ending:
        """Call `handrail` here, judge how it ended, and return that."""
        ending = call(arguments, folder=self.folder, variables=variables, given=given, site=site)
        judge(ending, arguments)
        return ending

"""Runs a contender once, in a process and a folder of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cases import CONTENDERS, FLOOR, Case, Contender
from distributions import site
from environments import OURS
from measuring import Measure, run, told


class Bench:
    """Where everything is.

    Args:
        pythons: The interpreters of the environments, by name.
        work: A folder on the disk that is to be measured.
        limit: After that many seconds, a process is ended.
        variables: Further variables of all contenders, such as where a server is.
    """

    def __init__(
        self,
        pythons: dict[str, Path],
        work: Path,
        limit: float,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._pythons = pythons
        self._variables = variables or {}
        self._work = work
        self._limit = limit
        self._left: dict[str, Path] = {}
        self._warm: set[str] = set()

    def measure(self, case: Case, contender: Contender) -> Measure:
        """Return what was measured, or why it was not."""
        python = self._pythons[OURS if contender.peer == FLOOR else contender.peer]
        if contender.command:
            return self._whole(case, contender, python)
        with tempfile.TemporaryDirectory(
            dir=self._work, prefix="run-", ignore_cleanup_errors=True
        ) as made:
            folder = Path(made)
            if case.work == "resume":
                failed = self._leave(contender, python)
                if failed is not None:
                    return failed
                folder = folder / "left"
                shutil.copytree(self._left[contender.label], folder)
            measure, said = self._step(case.work, contender, python, folder)
            return measure if "failed" in measure else told(said)

    def _leave(self, contender: Contender, python: Path) -> Measure | None:
        """Have the contender leave a run behind, once; return how that failed."""
        if contender.label not in self._left:
            folder = Path(tempfile.mkdtemp(dir=self._work, prefix="left-"))
            measure, _ = self._step("leave", contender, python, folder)
            if "failed" in measure:
                return measure
            self._left[contender.label] = folder
        return None

    def _step(
        self, work: str, contender: Contender, python: Path, folder: Path
    ) -> tuple[Measure, str]:
        script, *ways = contender.script
        words = [str(python), str(CONTENDERS / script), work, str(contender.steps), str(folder)]
        return run([*words, *ways], folder, self._limit, self._variables)

    def _whole(self, case: Case, contender: Contender, python: Path) -> Measure:
        """Measure a process from its start to its end."""
        first, *words = contender.command
        if first.startswith("bin/"):
            first = str(python.with_name(first.removeprefix("bin/")))
        more = {"PYTHONPATH": str(site(self._work))} if case.among_many else {}
        # What one call keeps for the next is kept there, as for anybody who calls it again.
        home = self._work / "home"
        home.mkdir(exist_ok=True)
        command = [str(python), first, *words]
        if contender.label not in self._warm:
            self._warm.add(contender.label)
            run(command, home, self._limit, more)
        return run(command, home, self._limit, more)[0]

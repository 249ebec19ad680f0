"""Fake distributions on disk, as an installer would leave them, for the tests of packs."""

from __future__ import annotations

import base64
import importlib
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from handrail.packs import GROUPS, InstalledPacks, installed_packs

if TYPE_CHECKING:
    from typing import Self

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FakePack:
    """A fake distribution.

    Attributes:
        name: Its name.
        package: Its import package.
        info: Folder of its metadata, with METADATA, RECORD and entry_points.txt.
        modules: Its source files.
    """

    name: str
    package: str
    info: Path
    modules: tuple[Path, ...]


class FakePacks:
    """A folder of distributions on `sys.path`; removed, with all imported modules, at the end.

        with FakePacks() as packs:
            packs.add("acme-scan", hooks="...")
            outcome = run_action(upload, packs=packs.provider)

    Args:
        folder: The folder of the distributions; a temporary one unless given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._given = folder
        self._folder: Path | None = folder
        self._packs: dict[str, FakePack] = {}

    def __enter__(self) -> Self:
        if self._given is None:
            self._folder = Path(tempfile.mkdtemp(prefix="handrail-packs-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        sys.path.insert(0, str(self.folder))
        importlib.invalidate_caches()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in list(self._packs):
            self.remove(name)
        if str(self.folder) in sys.path:
            sys.path.remove(str(self.folder))
        if self._given is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """The folder of the distributions.

        Raises:
            RuntimeError: The `with` block has not begun.
        """
        if self._folder is None:
            raise RuntimeError("use it as a context manager: with FakePacks() as packs: ...")
        return self._folder

    @property
    def provider(self) -> InstalledPacks:
        """These packs and no others, for `packs=` of an action; discovered from their metadata."""
        place = str(self.folder)
        return installed_packs(start=place, environ={}, path=[place])

    def add(
        self,
        name: str,
        version: str = "1.0",
        *,
        hooks: str | None = None,
        modules: Mapping[str, str] | None = None,
        actions: Mapping[str, str] | None = None,
        steps: Mapping[str, str] | None = None,
        commands: Mapping[str, str] | None = None,
        requires: Iterable[str] = ("handrail",),
        summary: str = "",
        **others: Mapping[str, str],
    ) -> FakePack:
        """Create a distribution, as if it were installed.

        Args:
            name: Its name, such as `acme-scan`; its package is then `acme_scan`.
            version: Its version.
            hooks: Source of its module of hooks, `acme_scan.hooks`.
            modules: Source of its modules by file name, such as `acme_scan/steps.py`.
            actions: Entry points of actions: `{"greet": "acme_greet.action:Greet"}`.
            steps: Entry points of steps.
            commands: Entry points of commands.
            requires: Its requirements.
            summary: One line about it.
            others: Entry points of other groups: `journals={"lines": "acme_lines:open_lines"}` are
                those of `handrail.journals`.

        Raises:
            ValueError: The name is not valid for a distribution, or was added already; or Handrail
                has no such group.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a distribution, such as 'acme-scan'")
        if canonicalize_name(name) in self._packs:
            raise ValueError(f"{name} is there already; remove({name!r}) takes it away")
        if unknown := {f"handrail.{group}" for group in others}.difference(GROUPS):
            raise ValueError(f"{', '.join(unknown)} is not one of {', '.join(GROUPS)}")
        package = canonicalize_name(name).replace("-", "_")
        sources = {f"{package}/__init__.py": "", **(modules or {})}
        points = {"actions": actions, "steps": steps, "commands": commands, **others}
        if hooks is not None:
            sources[f"{package}/hooks.py"] = hooks
            points["packs"] = {name: f"{package}.hooks"}
        head = [f"Name: {name}", f"Version: {version}", *([f"Summary: {summary}"] * bool(summary))]
        lines = ["Metadata-Version: 2.1", *head, *(f"Requires-Dist: {each}" for each in requires)]
        info = f"{package}-{version}.dist-info"
        files = {file: textwrap.dedent(source) for file, source in sources.items()}
        files[f"{info}/METADATA"] = "\n".join(lines) + "\n"
        files[f"{info}/entry_points.txt"] = _entry_points(points)
        for file, text in files.items():
            target = self.folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        rows = [_row(file, text) for file, text in files.items()]
        record = "\n".join([*rows, f"{info}/RECORD,,", ""])
        (self.folder / info / "RECORD").write_text(record, encoding="utf-8")
        importlib.invalidate_caches()
        made = FakePack(
            name=name,
            package=package,
            info=self.folder / info,
            modules=tuple(self.folder / file for file in sources),
        )
        self._packs[canonicalize_name(name)] = made
        return made

    def remove(self, name: str) -> None:
        """Remove a distribution, as an uninstaller would, and its imported modules.

        Raises:
            ValueError: No distribution of that name was added.
        """
        pack = self._packs.pop(canonicalize_name(name), None)
        if pack is None:
            raise ValueError(f"there is no {name}; there are: {', '.join(self._packs) or 'none'}")
        shutil.rmtree(pack.info, ignore_errors=True)
        for file in pack.modules:
            file.unlink(missing_ok=True)
        for module, loaded in list(sys.modules.items()):
            if getattr(loaded, "__file__", None) in {str(file) for file in pack.modules}:
                del sys.modules[module]
        importlib.invalidate_caches()


def _entry_points(points: Mapping[str, Mapping[str, str] | None]) -> str:
    lines: list[str] = []
    for group, entries in points.items():
        if entries:
            lines.append(f"[handrail.{group}]")
            lines += [f"{name} = {value}" for name, value in entries.items()]
    return "\n".join(lines) + "\n"


def _row(file: str, text: str) -> str:
    content = text.encode()
    digest = base64.urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
    return f"{file},sha256={digest},{len(content)}"

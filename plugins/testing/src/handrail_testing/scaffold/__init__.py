"""Renders a pack: a small complete distribution that installs, type-checks and passes its tests."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Literal

from packaging.utils import canonicalize_name

import handrail
import handrail_testing

Side = Literal["before", "after"]

PREFIX = "handrail-"
_DISTRIBUTION = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
# Names that the templates import beside the class of the step.
_TAKEN = (
    *("ActionInfo", "Any", "BaseStep", "BaseStepContext", "PackContract", "Path"),
    *("RuntimeContext", "StepRegistry", "StepResult"),
)

# Name of the file -> name of its template.
FILES: Mapping[str, str] = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "src/{package}/__init__.py": "init.py",
    "src/{package}/hooks.py": "{hooks}",
    "src/{package}/steps.py": "steps.py",
    "tests/test_pack.py": "test_pack.py",
}
MORE_FILES: Mapping[str, str] = {
    "CHANGELOG.md": "CHANGELOG.md",
    "noxfile.py": "noxfile.py",
    ".github/workflows/ci.yml": "ci.yml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPack:
    """A pack to be rendered, with all decisions.

    Attributes:
        distribution: Its name.
        step: Name of its step.
        action: The action whose workflow it shapes.
        anchor: The step beside its own, or None for the end of the workflow.
        side: The side of the anchor.
    """

    distribution: str
    step: str
    action: str
    anchor: str | None
    side: Side

    @property
    def package(self) -> str:
        """Its import package."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The class of its step."""
        name = "".join(part.capitalize() for part in self.step.split("_"))
        return f"{name}Step" if keyword.iskeyword(name) or name in _TAKEN else name

    @property
    def order(self) -> tuple[str, ...]:
        """The steps of the workflow in its test, in their order."""
        anchor = self.anchor or "work"
        return (self.step, anchor) if self.anchor and self.side == "before" else (anchor, self.step)

    def files(self, *, full: bool = False) -> dict[str, str]:
        """Return the text of each file by its name.

        Args:
            full: Whether a noxfile, a changelog and a workflow for CI are among them.
        """
        where = f"right {self.side} `{self.anchor}`" if self.anchor else "at its end"
        values = {
            "distribution": self.distribution,
            "package": self.package,
            "step": self.step,
            "class_name": self.class_name,
            "action": self.action,
            "anchor": self.anchor or "work",
            "side": self.side,
            "where": where,
            "order": ", ".join(f'"{name}"' for name in self.order),
            "range": _range(handrail.__version__),
            "testing_range": _range(handrail_testing.__version__),
            "summary": f"Adds the step {self.step} to {self.action}",
        }
        hooks = "hooks_anchor.py" if self.anchor else "hooks_end.py"
        rendered = {f"src/{self.package}/py.typed": ""}
        for name, template in {**FILES, **(MORE_FILES if full else {})}.items():
            text = _template(template.format(hooks=hooks))
            rendered[name.format(package=self.package)] = text.substitute(values)
        return rendered


def new_pack(
    name: str,
    *,
    step: str | None = None,
    action: str | None = None,
    before: str | None = None,
    after: str | None = None,
) -> NewPack:
    """Decide everything about a pack.

    Args:
        name: Its name; a single word gets `handrail-` in front of it.
        step: Name of its step; `note_<name>` unless given.
        action: The action whose workflow it shapes; `upload` unless given.
        before: The step that follows its own; `upload_files` by default.
        after: The step that comes before its own.

    Raises:
        ValueError: A name is not valid; the message gives the reason and a valid one.
    """
    if before is not None and after is not None:
        raise ValueError("a step stands before one step or after one, not both")
    if before is None and after is None and action is None:
        before = "upload_files"
    distribution = _distribution(name)
    stem = distribution.removeprefix(PREFIX).rpartition("-")[2]
    made = NewPack(
        distribution=distribution,
        step=_step(step if step is not None else f"note_{stem}"),
        action=_label(action if action is not None else "upload", "action"),
        anchor=None if before is after is None else _label(before or after or "", "step"),
        side="after" if after is not None else "before",
    )
    if made.step == made.anchor:
        raise ValueError(f"the step cannot be called '{made.step}': that is the one it stands by")
    return made


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write files into a new folder, all or none.

    Raises:
        ValueError: The folder is not empty, or cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(f"{folder} is there already, and nothing is overwritten")
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ValueError(f"{folder} cannot be made: {error.strerror}") from error
    try:
        for name, text in files.items():
            file = made / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        made.chmod(0o777 & ~_umask())
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    except OSError as error:
        shutil.rmtree(made, ignore_errors=True)
        raise ValueError(f"{folder} cannot be written: {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _distribution(name: str) -> str:
    wanted = canonicalize_name(name)
    if not _DISTRIBUTION.fullmatch(name) or name != wanted:
        hint = f"; how about {wanted}?" if _DISTRIBUTION.fullmatch(wanted) else ""
        raise ValueError(
            f"a pack cannot be called {name!r}: its name has lower-case letters, digits and "
            f"dashes, as in acme-webp{hint}"
        )
    if name == PREFIX.rstrip("-"):
        raise ValueError(f"a pack cannot be called {name!r}: that is the core")
    full = name if "-" in name else PREFIX + name
    package = full.replace("-", "_")
    if package in sys.stdlib_module_names or keyword.iskeyword(package):
        raise ValueError(f"a pack cannot be called {name!r}: Python has a module {package}")
    return full


def _step(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise ValueError(
            f"a step cannot be called {name!r}: its name is a verb in lower case, as in scan_files"
        )
    return name


def _label(name: str, what: str) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError(f"no {what} can be called {name!r}")
    return name


def _range(version: str) -> str:
    """Return the range of core versions that a pack written today fits: up to the next break."""
    major, minor, *_ = (*version.split("."), "0")
    if major == "0":
        return f">=0.{minor},<0.{int(minor) + 1}"
    return f">={major}.{minor},<{int(major) + 1}"


def _template(name: str) -> Template:
    file = resources.files("handrail_testing.scaffold") / "templates" / f"{name}.txt"
    return Template(file.read_text(encoding="utf-8"))

"""What the contract of a pack is checked against: its metadata, its steps, what importing it does.

Each part is worked out once, when the first check asks for it.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import NotFoundError, PackError, Problem, SettingsError, describe
from handrail.frozen import replace
from handrail.names import near
from handrail.origin import Origin
from handrail.packs.activation import decide
from handrail.packs.index import read_index
from handrail.packs.loader import import_target, load
from handrail.packs.record import EntryPoint, PackRecord
from handrail.packs.requirements import unmet_range
from handrail.settings.load import read_settings
from handrail.settings.names import normalised
from handrail.steps import BaseStep
from handrail.testing import probe
from handrail.testing.undo import is_step
from handrail.wrapper import StepWrapper

if TYPE_CHECKING:
    from handrail.context import BaseStepContext
    from handrail.packs.loaded import LoadedPack
    from handrail.settings.values import Settings

ContextFactory = Callable[[], "BaseStepContext"]
StepFactory = Callable[[], BaseStep[Any]]


class UncheckedError(Exception):
    """A check does not apply, or lacks what it needs; its text says what."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A distribution under its contract.

    Attributes:
        record: What its metadata says.
        context: Makes a fresh context for its steps, if there is such a thing.
        world: Returns what its steps change, if that can be seen.
        imports: Third-party packages that its hooks may import.
        steps: How to make the steps whose class needs arguments, by entry point.
        actions: Actions that it is planned with, beside its own.
        untried: Steps that cannot be run on their own.
        pyproject: The pyproject.toml that it was built from, if that is here.
    """

    record: PackRecord
    context: ContextFactory | None = None
    world: Callable[[], object] | None = None
    imports: Sequence[str] = ()
    steps: Mapping[str, StepFactory] = field(default_factory=dict[str, StepFactory])
    actions: Sequence[Any] = ()
    untried: Sequence[str] = ()
    pyproject: Path | None = None

    @property
    def origin(self) -> Origin:
        """The pack and its version."""
        return self.record.origin

    @cached_property
    def settings(self) -> Settings:
        """The settings here, but for what switches packs off."""
        found, _ = read_settings(Path.cwd(), os.environ)
        return replace(found, choices=())

    @cached_property
    def load_problems(self) -> tuple[Problem, ...]:
        """Everything that keeps the pack from being used."""
        decided = decide([self.record], self.settings).records[0]
        problems = list(decided.problems)
        if problems:
            return tuple(problems)
        for entry in (*decided.actions, *decided.steps, *decided.commands):
            try:
                import_target(decided, entry)
            except PackError as error:
                problems += _problems_of(error)
        try:
            _ = self.loaded
        except (PackError, SettingsError) as error:
            problems += _problems_of(error)
        return tuple(dict.fromkeys(problems))

    @cached_property
    def loaded(self) -> LoadedPack:
        """Its hooks.

        Raises:
            PackError, SettingsError: They cannot be used.
        """
        return load(self.record, self.settings)

    def target(self, entry: EntryPoint) -> Any:
        """Return what an entry point leads to.

        Raises:
            UncheckedError: It cannot be imported, which is a problem of its own.
        """
        try:
            return import_target(self.record, entry)
        except PackError as error:
            raise UncheckedError("it cannot be imported") from error

    @cached_property
    def made(self) -> Mapping[str, BaseStep[Any]]:
        """Its steps by entry point, as far as they can be made."""
        return {
            entry.name: step
            for entry in self.record.steps
            if (step := self.make(entry)) is not None
        }

    @cached_property
    def unmade(self) -> tuple[str, ...]:
        """Entry points of steps that need arguments, and of wrappers, which need a step."""
        return tuple(entry.name for entry in self.record.steps if entry.name not in self.made)

    def make(self, entry: EntryPoint) -> BaseStep[Any] | None:
        """Return a new step of an entry point, or None where that takes arguments.

        Raises:
            UncheckedError: It cannot be imported.
        """
        if entry.name in self.steps:
            return self.steps[entry.name]()
        target = self.target(entry)
        if is_step(target):
            return target
        if _is_wrapper(target) or not takes_nothing(target):
            return None
        made: object = target()
        return made if is_step(made) else None

    @cached_property
    def importing(self) -> Importing:
        """What importing its modules does, in a process of its own."""
        hooks = [entry.module for entry in self.record.hooks]
        entries = (*self.record.actions, *self.record.steps, *self.record.commands)
        others = [entry.module for entry in entries] or ([] if hooks else self.record.packages)
        doors = {"hooks": hooks, "others": list(dict.fromkeys(others))}
        return import_apart(self.record.packages, doors)

    @cached_property
    def required(self) -> frozenset[str]:
        """Top-level modules of what it requires without any extra."""
        from packaging.requirements import Requirement  # noqa: PLC0415 - for this check only

        names: set[str] = set()
        for text in self.record.requires:
            try:
                wanted = Requirement(text)
                if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                    names.add(normalised(wanted.name))
            except ValueError:
                continue
        modules = {name.replace("-", "_") for name in names}
        for module, distributions in metadata.packages_distributions().items():
            if any(normalised(each) in names for each in distributions):
                modules.add(module)
        return frozenset(modules)


def takes_nothing(target: Any) -> bool:
    """Whether `target` can be called without arguments."""
    try:
        inspect.signature(target).bind()
    except (TypeError, ValueError):
        return False
    return True


def _is_wrapper(target: Any) -> bool:
    return isinstance(target, type) and issubclass(target, StepWrapper)


@dataclass(frozen=True, slots=True, kw_only=True)
class Importing:
    """What importing a pack did.

    Attributes:
        imports: Third-party modules that its own modules import: `module`, `place`, `door`.
        effects: What it did to the world: `what`, `place`, `door`.
        failures: Modules that could not be imported there: `module`, `error`.
        printed: What it wrote to the terminal.
    """

    imports: Sequence[Mapping[str, str]]
    effects: Sequence[Mapping[str, str]]
    failures: Sequence[Mapping[str, str]]
    printed: str


def import_apart(packages: Sequence[str], doors: Mapping[str, Sequence[str]]) -> Importing:
    """Import modules in a process of their own, and return what that did."""
    with tempfile.TemporaryDirectory(prefix="handrail-check-") as folder:
        answer = Path(folder, "answer.json")
        request = {
            "path": [each for each in sys.path if isinstance(cast("object", each), str)],
            "packages": list(packages),
            "doors": {door: list(modules) for door, modules in doors.items()},
            "answer": str(answer),
        }
        done = subprocess.run(
            [sys.executable, "-P", "-B", "-W", "ignore", str(probe.__file__)],
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        told: dict[str, Any] = {"imports": [], "effects": [], "failures": []}
        if answer.exists():
            told = json.loads(answer.read_text(encoding="utf-8"))
        else:
            ended = {"what": "ends the process that imports it", "place": "", "door": ""}
            told["effects"].append(ended)
    printed = (done.stdout + done.stderr).strip()
    return Importing(**told, printed=printed)


def record_of(distribution: str) -> PackRecord:
    """Return what is known of an installed distribution, whether it is a pack or not.

    Raises:
        NotFoundError: There is none of that name.
    """
    __tracebackhide__ = True
    wanted = normalised(distribution)
    records = read_index(cache=None)
    for record in records:
        if record.id == wanted:
            return record
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        matches = near(wanted, [record.id for record in records])
        hints = [f"did you mean {' or '.join(matches)}?"] if matches else []
        raise NotFoundError(
            f"no installed distribution is called '{distribution}'",
            ways_out=(*hints, "install it:  pip install -e .", f"searched {sys.prefix}"),
        ) from None
    return PackRecord(
        id=wanted,
        name=distribution,
        version=found.version,
        requires=tuple(found.requires or ()),
        unmet=unmet_range(found.requires or ()),
        packages=_packages_of(wanted),
    )


def _packages_of(distribution: str) -> tuple[str, ...]:
    """Return the packages of a distribution that offers nothing to Handrail."""
    owned = metadata.packages_distributions().items()
    listed = [each for each, names in owned if distribution in map(normalised, names)]
    # An editable install lists no modules.
    return tuple(sorted(listed)) or (distribution.replace("-", "_"),)


def _problems_of(error: PackError | SettingsError) -> tuple[Problem, ...]:
    if error.problems:
        return error.problems
    cause = error.__cause__
    details = [] if cause is None else [f"{type(cause).__name__}: {describe(cause)}"]
    place = error.origin.place if error.origin else ""
    return (
        Problem(
            code=error.code,
            message=error.message,
            origins=(error.origin,) if error.origin else (),
            details=tuple(each for each in (place, *details) if each and each not in error.message),
            ways_out=error.ways_out,
        ),
    )

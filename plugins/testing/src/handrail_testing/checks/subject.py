"""What the contract of a pack is checked against: its metadata, its steps, what importing it does.

Each part is worked out once, when the first check asks for it.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from handrail import BaseStep, PackError, Problem, StepWrapper
from handrail.errors import NotFoundError
from handrail.packs import PackRecord, installed_packs
from handrail_testing.checks import probe
from handrail_testing.suggest import did_you_mean
from handrail_testing.undo import is_step

if TYPE_CHECKING:
    from handrail import BaseStepContext, Origin
    from handrail.packs import EntryPoint, InstalledPacks

PREFIX = "handrail."
"""What the groups of entry points begin with that Handrail reads."""

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
    def packs(self) -> InstalledPacks:
        """The pack as the only one, whatever switches it off here."""
        return installed_packs(cache=None).alone(self.record)

    @cached_property
    def load_problems(self) -> tuple[Problem, ...]:
        """Everything that keeps the pack from being used."""
        return self.packs.check()

    def target(self, entry: EntryPoint) -> Any:
        """Return what an entry point leads to.

        Raises:
            UncheckedError: It cannot be imported, which is a problem of its own.
        """
        kind: Any = entry.group.removeprefix(PREFIX)
        try:
            return self.packs.catalog.load(kind, f"{self.record.id}:{entry.name}")
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
        names: set[str] = set()
        for text in self.record.requires:
            try:
                requirement = Requirement(text)
                if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                    names.add(canonicalize_name(requirement.name))
            except ValueError:
                continue
        modules = {name.replace("-", "_") for name in names}
        for module, distributions in metadata.packages_distributions().items():
            if any(canonicalize_name(each) in names for each in distributions):
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
    wanted = canonicalize_name(distribution)
    records = installed_packs(cache=None).records
    for record in records:
        if record.id == wanted:
            return record
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        hint = did_you_mean(wanted, [record.id for record in records])
        ways_out = (hint, "install it:  pip install -e .", f"searched {sys.prefix}")
        raise NotFoundError(
            f"no installed distribution is called '{distribution}'",
            ways_out=tuple(filter(None, ways_out)),
        ) from None
    return PackRecord(
        id=wanted,
        name=distribution,
        version=found.version,
        requires=tuple(found.requires or ()),
        packages=_packages_of(wanted),
    )


def _packages_of(distribution: str) -> tuple[str, ...]:
    """Return the packages of a distribution that offers nothing to Handrail."""
    owned = metadata.packages_distributions().items()
    listed = [
        package
        for package, names in owned
        if any(canonicalize_name(name) == distribution for name in names)
    ]
    # An editable install lists no modules.
    return tuple(sorted(listed)) or (distribution.replace("-", "_"),)

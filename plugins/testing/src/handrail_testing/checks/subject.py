"""The pack that is checked: its metadata, its steps, and the effects of importing it.

Each part is computed once, when the first check needs it.
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
from handrail.suggest import did_you_mean
from handrail_testing.checks import probe
from handrail_testing.undo import is_step

if TYPE_CHECKING:
    from handrail import BaseStepContext, Origin
    from handrail.packs import EntryPoint, InstalledPacks

PREFIX = "handrail."
"""Prefix of the groups of entry points that Handrail reads."""

ContextFactory = Callable[[], "BaseStepContext"]
StepFactory = Callable[[], BaseStep[Any]]


class UncheckedError(Exception):
    """A check does not apply, or lacks something that it needs; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A distribution under its contract.

    Attributes:
        record: Its metadata.
        context: Returns a fresh context for its steps; without it, no step is run.
        world: Returns the state that its steps change; without it, no undo is checked.
        imports: Third-party packages that its hooks may import.
        steps: Factories of the steps whose class needs arguments, by entry point.
        actions: Actions that it is planned with, besides its own.
        untried: Steps that cannot be run on their own.
        pyproject: The pyproject.toml that it was built from, if it is available.
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

    def problem(
        self, code: str, message: str, *ways_out: str, details: tuple[str, ...] = ()
    ) -> Problem:
        """Return a problem of the pack."""
        return Problem(
            code=code,
            message=message,
            origins=(self.origin,),
            details=details,
            ways_out=ways_out,
        )

    @cached_property
    def packs(self) -> InstalledPacks:
        """The pack as the only installed one, always on."""
        return installed_packs().alone(self.record)

    @cached_property
    def load_problems(self) -> tuple[Problem, ...]:
        """The problems because of which the pack cannot be used."""
        return self.packs.check()

    def target(self, entry: EntryPoint) -> Any:
        """Import and return the object of an entry point.

        Raises:
            UncheckedError: The object cannot be imported, which is a problem of the check `loads`.
        """
        kind: Any = entry.group.removeprefix(PREFIX)
        try:
            return self.packs.catalog.load(kind, f"{self.record.id}:{entry.name}")
        except PackError as error:
            raise UncheckedError("it cannot be imported") from error

    @cached_property
    def made(self) -> Mapping[str, BaseStep[Any]]:
        """Its steps by entry point, without those that need arguments."""
        return {
            entry.name: step
            for entry in self.record.offered("steps")
            if (step := self.make(entry)) is not None
        }

    def make(self, entry: EntryPoint) -> BaseStep[Any] | None:
        """Return a new step of an entry point, or None if that needs arguments.

        Raises:
            UncheckedError: The step cannot be imported.
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
        """The imports and effects of importing its modules, in a separate process."""
        hooks = [entry.module for entry in self.record.hooks]
        offered = ("actions", "steps", "commands", "prune", "serializers")
        entries = [entry for kind in offered for entry in self.record.offered(kind)]
        others = [entry.module for entry in entries] or ([] if hooks else self.record.modules)
        doors = {"hooks": hooks, "others": list(dict.fromkeys(others))}
        return import_apart(self.record.modules, doors)

    @cached_property
    def required(self) -> frozenset[str]:
        """Top-level modules of the distributions that it requires without any extra."""
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
    """The imports and effects of importing a pack.

    Attributes:
        imports: Third-party modules that its own modules import: `module`, `place`, `door`.
        effects: Its effects on the world: `what`, `place`, `door`.
        failures: Modules that could not be imported there: `module`, `error`.
        printed: The text that it wrote to the terminal.
    """

    imports: Sequence[Mapping[str, str]]
    effects: Sequence[Mapping[str, str]]
    failures: Sequence[Mapping[str, str]]
    printed: str


def import_apart(modules: Sequence[str], doors: Mapping[str, Sequence[str]]) -> Importing:
    """Import the modules behind doors in a separate process, and return the effects.

    What is imported from the packages of `modules` is their own.
    """
    with tempfile.TemporaryDirectory(prefix="handrail-check-") as folder:
        answer = Path(folder, "answer.json")
        request = {
            "path": [each for each in sys.path if isinstance(cast("object", each), str)],
            "packages": sorted({each.partition(".")[0] for each in modules}),
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
        found: dict[str, Any] = {"imports": [], "effects": [], "failures": []}
        if answer.exists():
            found = json.loads(answer.read_text(encoding="utf-8"))
        else:
            ended = {"what": "ends the process that imports it", "place": "", "door": ""}
            found["effects"].append(ended)
    printed = (done.stdout + done.stderr).strip()
    return Importing(**found, printed=printed)


def record_of(distribution: str) -> PackRecord:
    """Return the record of an installed distribution, whether it is a pack or not.

    Raises:
        NotFoundError: No distribution of that name is installed.
    """
    __tracebackhide__ = True
    wanted = canonicalize_name(distribution)
    records = installed_packs().records
    for record in records:
        if record.id == wanted:
            return record
    try:
        found = metadata.distribution(distribution)
    except (metadata.PackageNotFoundError, ValueError):  # The latter for names that cannot be one.
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
        modules=_packages_of(wanted),
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

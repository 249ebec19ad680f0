"""PackRecord: an installed pack as its metadata describes it, without importing it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from types import FrameType
from typing import Any, Literal

import handrail
from handrail.errors import HandrailError, PackError, Problem, SettingsError, describe
from handrail.frozen import frozen, replace
from handrail.origin import Origin, raised_at, source_of
from handrail.own_points import CORE, own_points

LOCAL = "local"
"""The pack id of the project's own files."""

PREFIX = "handrail."
GROUPS = tuple(
    PREFIX + kind
    for kind in (
        *("packs", "packs_if_set", "actions", "steps", "commands", "journals", "executors"),
        *("options", "policy", "prune", "serializers", "views"),
    )
)

# A requirement of core without a condition: the others are left to installers.
_REQUIREMENT = re.compile(rf"{CORE}\s*(?:\[[^\]]*\])?\s*\(?([^@;()]*)\)?", re.IGNORECASE)

Kind = Literal["actions", "steps", "commands", "options", "journals", "executors"]
Status = Literal["on", "off", "incompatible", "broken", "required", "policy"]

_ORDER: tuple[Status, ...] = ("policy", "required", "on", "off", "incompatible", "broken")


@frozen
class EntryPoint:
    """An entry point of a distribution.

    Attributes:
        group: The group, such as `handrail.steps`.
        name: The name in the group.
        value: The object's location, as `module` or `module:object`.
    """

    group: str
    name: str
    value: str

    @property
    def module(self) -> str:
        """The dotted name of its module."""
        return self.value.partition("[")[0].partition(":")[0].strip()

    @property
    def attribute(self) -> str:
        """The dotted name in the module, or an empty string for the module itself."""
        return self.value.partition("[")[0].partition(":")[2].strip()


@frozen
class PackRecord:
    """An installed pack as its metadata describes it, and whether it is used.

    Attributes:
        id: Normalised distribution name.
        name: Distribution name as spelled in the metadata.
        version: Its version, or an empty string if it cannot be read.
        summary: Its one-line summary, from the metadata.
        entry_points: Its entry points in our groups, in the order of the file.
        requires: Its requirements, as in the metadata.
        location: Folder or archive in which it is installed.
        modules: Dotted names of the modules that its entry points lead to.
        is_local: Whether it represents the project's own files.
        status: Whether it is used.
        why: The reason for the status, in a few words.
        problems: Its problems.
    """

    id: str
    name: str
    version: str = ""
    summary: str = ""
    entry_points: tuple[EntryPoint, ...] = ()
    requires: tuple[str, ...] = ()
    location: str = ""
    modules: tuple[str, ...] = ()
    is_local: bool = False
    status: Status = "on"
    why: str = "installed"
    problems: tuple[Problem, ...] = ()

    @property
    def origin(self) -> Origin:
        """The pack and its version; for the project's own files, the folder."""
        if self.is_local:
            return Origin(file="this project")
        return Origin(pack=self.id, version=self.version)

    @property
    def unmet(self) -> str:
        """The first required range of `handrail` that this core does not satisfy, or `""`."""
        for text in self.requires:
            found = _REQUIREMENT.fullmatch(text.strip())
            if found is not None:
                try:
                    if not fits(handrail.__version__, found[1].strip()):
                        return found[1].strip()
                except ValueError:
                    continue  # It is of another distribution, or installers reject it.
        return ""

    @property
    def is_used(self) -> bool:
        """Whether its actions, steps and commands can be used."""
        return self.status in ("on", "required", "policy")

    @property
    def hooks(self) -> tuple[EntryPoint, ...]:
        """Its modules of hooks, also those that wait for a variable."""
        waiting = {each.value: each for each in self.offered("packs_if_set")}
        return (*self.offered("packs"), *waiting.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Its names for users: its id, and the names of its modules of hooks."""
        return (self.id, *(hook.name for hook in self.offered("packs")))

    def offered(self, kind: str) -> tuple[EntryPoint, ...]:
        """Return its entry points of the group `handrail.<kind>`."""
        group = PREFIX + kind
        return tuple(entry for entry in self.entry_points if entry.group == group)


def normalised(name: str) -> str:
    """Return the pack id for `name`: lower case, words joined by single hyphens (PEP 503)."""
    words = name.strip().lower().replace("_", "-").replace(".", "-")
    while "--" in words:
        words = words.replace("--", "-")
    return words


def variable_prefix(pack: str) -> str:
    """Return the prefix of environment variables for a pack's settings: `HANDRAIL_ACME_SCAN_`."""
    return f"HANDRAIL_{normalised(pack).replace('-', '_').upper()}_"


def fits(version: str, specifiers: str) -> bool:
    """Return whether `version` is in a range such as `>=1.4,<2`; an unreadable one is in none.

    A pre-release counts like any other version: 0.3.0rc1 is in `>=0.2`, though not in `>=0.3`.

    Raises:
        ValueError: `specifiers` is not a range of versions.
    """
    if not specifiers:
        return True
    # Slow to import, and only a range that is required needs it.
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415

    wanted = SpecifierSet(specifiers)
    try:
        return wanted.contains(version, prereleases=True)
    except ValueError:
        return False


def ways_out(pack: str, first: str = "") -> tuple[str, ...]:
    """Return ways out for a `pack` that cannot be used, the `first` by default its upgrade."""
    return (
        first or f"upgrade it:  pip install --upgrade {pack}",
        f"or leave it out of this call:  --no-pack {pack}",
        f'or of this project, in handrail.toml:  [packs]  disable = ["{pack}"]',
        f"or uninstall it:  pip uninstall {pack}",
    )


def compatible(record: PackRecord) -> PackRecord:
    """Return a record, marked as incompatible if it is on and wants another core."""
    if record.status != "on" or not record.unmet:
        return record
    why = f"wants {CORE}{record.unmet}, this is {handrail.__version__}"
    problem = Problem(
        code="pack-incompatible",
        message=f"{record.origin} {why}",
        origins=(record.origin,),
        ways_out=ways_out(
            record.id,
            f"find versions that fit each other:  pip install --upgrade {CORE} {record.id}",
        ),
    )
    return replace(record, status="incompatible", why=why, problems=(*record.problems, problem))


def in_order(records: Iterable[PackRecord]) -> tuple[PackRecord, ...]:
    """Return packs with those that are used first, then by id."""
    return tuple(sorted(records, key=lambda each: (_ORDER.index(each.status), each.id)))


@cache
def core_record() -> PackRecord:
    """Return what core itself offers; it cannot be off.

    Raises:
        PackError: Core is not installed, but only somewhere on the path.
    """
    return PackRecord(
        id=CORE,
        name=CORE,
        version=handrail.__version__,
        entry_points=tuple(
            EntryPoint(group=group, name=name, value=value) for group, name, value in own_points()
        ),
        location=os.path.dirname(handrail.__path__[0]),
        why="built in",
    )


def import_target(record: PackRecord, entry_point: EntryPoint) -> Any:
    """Import and return the object of a pack's entry point.

    Raises:
        PackError: The object cannot be imported or does not exist; `__cause__` is the error.
    """
    kind = entry_point.group.removeprefix(PREFIX)
    what = f"{'hooks' if kind.startswith('packs') else kind} {entry_point.name}"
    try:
        found: Any = import_module(entry_point.module)
        for name in entry_point.attribute.split(".") if entry_point.attribute else ():
            found = getattr(found, name)
    except (Exception, SystemExit) as error:
        message = (
            f"{record.origin}: {what} ({entry_point.value}) cannot be imported: "
            f"{type(error).__name__}: {describe(error)}"
        )
        origin = replace(_place(error, entry_point), pack=record.id, version=record.version)
        raise pack_error(message, origin) from error
    return found


def ways_out_of(pack: Origin) -> tuple[str, ...]:
    """Return ways out for a problem with `pack`; none for an object that is not installed."""
    return ways_out(pack.pack) if pack.pack and pack.version else ()


def pack_error(message: str, origin: Origin, *ways: str) -> PackError:
    """Return an error about a pack; the last ways out are those of every pack."""
    return PackError(message, origin=origin, ways_out=(*ways, *ways_out_of(origin)))


def _place(error: BaseException, entry_point: EntryPoint) -> Origin:
    """Return the origin of an import error: the last line in the pack's own code."""
    top = entry_point.module.partition(".")[0]

    def is_own(frame: FrameType) -> bool:
        return str(frame.f_globals.get("__name__", "")).partition(".")[0] == top

    found = raised_at(error, is_own) or Origin()
    module = found.module or entry_point.module
    return replace(found, module=module, file=found.file and source_of(found.module, found.file))


def settings_error(problems: Sequence[Problem]) -> SettingsError:
    """Return one error for `problems`."""
    count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
    return SettingsError(f"{count} cannot be used", problems=problems)


def problems_of(error: HandrailError) -> tuple[Problem, ...]:
    """Return the problems of an error, or the error itself converted to a problem."""
    if isinstance(error, PackError | SettingsError) and error.problems:
        return error.problems
    place = error.origin.place if error.origin else ""
    return (
        Problem(
            code=error.code,
            message=error.message,
            origins=(error.origin,) if error.origin else (),
            details=(place,) if place else (),
            ways_out=error.ways_out,
        ),
    )

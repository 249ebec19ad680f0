"""What is known of an installed pack without importing it."""

from __future__ import annotations

from typing import Literal

from handrail.errors import Problem
from handrail.frozen import frozen
from handrail.origin import Origin

CORE = "handrail"
"""The distribution that packs are for."""

LOCAL = "local"
"""What the project's own files are called, as if they were a pack."""

PREFIX = "handrail."
GROUPS = tuple(
    PREFIX + kind
    for kind in ("packs", "actions", "steps", "commands", "journals", "executors", "policy")
)

Kind = Literal["actions", "steps", "commands"]
Status = Literal["on", "off", "incompatible", "broken", "required", "policy"]


@frozen
class EntryPoint:
    """One line of a distribution's entry points.

    Attributes:
        group: Such as `handrail.steps`.
        name: What it is called there.
        value: Where it leads, as `module` or `module:object`.
    """

    group: str
    name: str
    value: str

    @property
    def module(self) -> str:
        """Dotted module that it leads to."""
        return self.value.partition("[")[0].partition(":")[0].strip()

    @property
    def attribute(self) -> str:
        """Dotted name in the module, or an empty string for the module itself."""
        return self.value.partition("[")[0].partition(":")[2].strip()


@frozen
class PackRecord:
    """A pack as its metadata shows it, and whether it is used.

    Attributes:
        id: Normalised distribution name.
        name: Distribution name as the metadata spells it.
        version: Its version, or an empty string when that cannot be read.
        summary: One line about it, from the metadata.
        entry_points: Those in our groups, in the order of the file.
        requires: Its requirements, as in the metadata.
        unmet: Range of `handrail` that these ask for and this core is not in; else empty.
        location: Folder or archive where it is installed.
        packages: Dotted names of the packages and modules that it owns.
        is_local: Whether it stands for the project's own files.
        status: Whether it is used.
        why: The reason for the status, in a few words.
        problems: What is wrong with it.
    """

    id: str
    name: str
    version: str = ""
    summary: str = ""
    entry_points: tuple[EntryPoint, ...] = ()
    requires: tuple[str, ...] = ()
    unmet: str = ""
    location: str = ""
    packages: tuple[str, ...] = ()
    is_local: bool = False
    status: Status = "on"
    why: str = "installed"
    problems: tuple[Problem, ...] = ()

    @property
    def origin(self) -> Origin:
        """The pack and its version; of the project's own files just the folder."""
        if self.is_local:
            return Origin(file="this project")
        return Origin(pack=self.id, version=self.version)

    @property
    def is_used(self) -> bool:
        """Whether what it offers can be used."""
        return self.status in ("on", "required", "policy")

    @property
    def actions(self) -> tuple[EntryPoint, ...]:
        """The actions that it offers."""
        return self.offered("actions")

    @property
    def steps(self) -> tuple[EntryPoint, ...]:
        """The steps that it offers."""
        return self.offered("steps")

    @property
    def commands(self) -> tuple[EntryPoint, ...]:
        """The commands that it offers."""
        return self.offered("commands")

    @property
    def hooks(self) -> tuple[EntryPoint, ...]:
        """Its modules of hooks."""
        return self.offered("packs")

    @property
    def names(self) -> tuple[str, ...]:
        """What users may call it: its id, and the names of its modules of hooks."""
        return (self.id, *(hook.name for hook in self.hooks))

    def offered(self, kind: str) -> tuple[EntryPoint, ...]:
        """Return its entry points of the group `handrail.<kind>`."""
        group = PREFIX + kind
        return tuple(entry for entry in self.entry_points if entry.group == group)


def ways_out(pack: str, *, upgrade: bool = True) -> tuple[str, ...]:
    """Return how to get past a `pack` that cannot be used."""
    return (
        *((f"upgrade it:  pip install --upgrade {pack}",) if upgrade else ()),
        f"or leave it out of this call:  --no-pack {pack}",
        f'or of this project, in handrail.toml:  [packs]  disable = ["{pack}"]',
        f"or uninstall it:  pip uninstall {pack}",
    )

"""Requirements of a project or policy: packs with version ranges, and steps of packs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from handrail.frozen import frozen, replace
from handrail.origin import Origin
from handrail.settings.pack_names import normalised

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

POLICY_FILE = "handrail-policy.toml"

# Compiled on use, because most calls do not need it.
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PACK = rf"(?P<name>{_NAME})\s*(?P<range>[=~!<>].*)?"


@frozen
class RequiredPack:
    """A pack that must be installed, enabled and intact.

    Attributes:
        id: Normalised distribution name.
        specifiers: Version range, such as `>=1.4,<2`; empty for any version.
        origin: File and line of the requirement, and the policy if it is from one.
    """

    id: str
    specifiers: str
    origin: Origin

    @property
    def wanted(self) -> str:
        """The requirement for an installer: `acme-scan>=1.4,<2`."""
        return f"{self.id}{self.specifiers}"

    @property
    def source(self) -> str:
        """The source of the requirement: `handrail.toml:4`, or policy, version, file and line."""
        return source_of(self.origin)

    @property
    def brief(self) -> str:
        """The source for a column of a table: `acme-policy 3.1.0, policy line 4`."""
        return brief_source(self.source)


@frozen
class RequiredStep:
    """A step of a pack that plans of certain actions must have, in a certain position.

    Attributes:
        pack: Normalised name of the distribution that must provide it.
        name: Name of the step.
        side: Its required side of the anchor; None for any position.
        anchor: The step before or after which it must be.
        within: Names of actions, including actions that extend them; `*` for every action that has
            the anchor.
        origin: File and line of the requirement, and the policy if it is from one.
    """

    pack: str
    name: str
    side: Literal["before", "after"] | None = None
    anchor: str = ""
    within: tuple[str, ...] = ("*",)
    origin: Origin

    def of_action(self, name: str) -> RequiredStep:
        """Return what it requires of the action of this name in a chain."""
        before = f"{name}."
        if not self.anchor.startswith(before):
            return self
        own = self.name.removeprefix(before)
        return replace(self, anchor=self.anchor.removeprefix(before), name=own)

    @property
    def source(self) -> str:
        """The source of the requirement: `handrail.toml:4`, or policy, version, file and line."""
        return source_of(self.origin)

    @property
    def where(self) -> str:
        """The step and its position: `acme-scan:scan_files before upload_files`."""
        place = f" {self.side} {self.anchor}" if self.side else ""
        return f"{self.pack}:{self.name}{place}"


@frozen
class Requirements:
    """The requirements of a project or policy."""

    packs: tuple[RequiredPack, ...] = ()
    steps: tuple[RequiredStep, ...] = ()


def parse_pack(text: str) -> tuple[str, str] | None:
    """Return the normalised name and the range in `acme-scan>=1.4,<2`; None if it is invalid."""
    match = re.fullmatch(_PACK, text.strip())
    if match is None:
        return None
    specifiers = "".join((match["range"] or "").split())
    try:
        if specifiers:
            _range(specifiers)
    except ValueError:
        return None
    return normalised(match["name"]), specifiers


def fits(version: str, specifiers: str) -> bool:
    """Return whether `version` is in a range such as `>=1.4,<2`; an unreadable one is in none.

    A pre-release counts like any other version: 0.3.0rc1 is in `>=0.2`, though not in `>=0.3`.

    Raises:
        ValueError: `specifiers` is not a range of versions.
    """
    if not specifiers:
        return True
    wanted = _range(specifiers)
    try:
        return wanted.contains(version, prereleases=True)
    except ValueError:
        return False


def _range(specifiers: str) -> SpecifierSet:
    # Slow to import, and only a range that is required needs it.
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415

    return SpecifierSet(specifiers)


def source_of(origin: Origin) -> str:
    """Return file and line of `origin`, preceded by its policy, if any."""
    return f"{origin.owner}, {origin.place}" if origin.pack else origin.place


def brief_source(source: str) -> str:
    """Return a source for a column of a table, without the file name that all policies share."""
    return source.replace(f"{POLICY_FILE}:", "policy line ")

"""Requirements of a project or policy: packs with version ranges, and steps of packs."""

from __future__ import annotations

import re

from handrail.frozen import frozen
from handrail.origin import Origin
from handrail.packs.pack_names import normalised, version_range
from handrail.plan.required import RequiredStep

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
        return self.origin.source

    @property
    def brief(self) -> str:
        """The source for a column of a table: `acme-policy 3.1.0, policy line 4`."""
        return brief_source(self.source)


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
            version_range(specifiers)
    except ValueError:
        return None
    return normalised(match["name"]), specifiers


def brief_source(source: str) -> str:
    """Return a source for a column of a table, without the file name that all policies share."""
    return source.replace(f"{POLICY_FILE}:", "policy line ")

"""Names and versions of packs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


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
    wanted = version_range(specifiers)
    try:
        return wanted.contains(version, prereleases=True)
    except ValueError:
        return False


def version_range(specifiers: str) -> SpecifierSet:
    """Return a range of versions.

    Raises:
        ValueError: It is none.
    """
    # Slow to import, and only a range that is required needs it.
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415

    return SpecifierSet(specifiers)

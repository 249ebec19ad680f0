"""Finds groups of entry points that are meant for Handrail and that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.origin import Origin
from handrail.own_points import CORE
from handrail.packs.metadata import distributions, searched, stem_of
from handrail.packs.record import GROUPS, PREFIX
from handrail.suggest import near

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_KINDS = tuple(group.removeprefix(PREFIX) for group in GROUPS)


def unread_groups(distribution: str | None = None) -> Iterator[Problem]:
    """Yield a problem for each group of entry points with a name like ours that is not ours.

    Args:
        distribution: The installed distribution to look at; by default, all of them.
    """
    for each in distributions(searched(), distribution):
        if stem_of(each)[0] != CORE:
            yield from _of_distribution(each)


def _of_distribution(distribution: Distribution) -> Iterator[Problem]:
    try:
        groups = {point.group for point in distribution.entry_points}
        pack = Origin(pack=distribution.metadata["Name"], version=distribution.version)
    except Exception:  # noqa: BLE001 - metadata may contain anything; the doctor tells of packs
        return
    for group in sorted(groups - set(GROUPS)):
        kind = group.partition(CORE)[2].lstrip("._-")
        hints = [f"did you mean {PREFIX}{match}?" for match in near(kind, _KINDS, limit=1)]
        meant = group.startswith(PREFIX) or (CORE in group and hints)
        if meant and not _is_of_a_pack(group):
            yield Problem(
                code="bad-entry-point",
                message=f"{pack} has entry points in {group}, which nobody reads",
                origins=(pack,),
                ways_out=tuple(hints) or (f"the groups are: {', '.join(GROUPS)}",),
            )


def _is_of_a_pack(group: str) -> bool:
    """Whether a group, such as `acme_train.models`, belongs to a package that is installed."""
    package = group.partition(".")[0]
    return package != CORE and find_spec(package) is not None

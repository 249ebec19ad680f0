"""Finds groups of entry points that are meant for Handrail and that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from handrail import Origin
from handrail.errors import Problem
from handrail.packs import GROUPS, normalised
from handrail.suggest import near

if TYPE_CHECKING:
    # It has the same names, and types.
    from importlib.metadata import Distribution, distributions
else:
    from importlib_metadata import Distribution, distributions

_OURS = "handrail"


def unread_groups(distribution: str | None = None) -> Iterator[Problem]:
    """Yield a problem for each group of entry points with a name like ours that is not ours.

    Args:
        distribution: The installed distribution to look at; by default, all of them.
    """
    seen = {_OURS}
    for each in distributions(name=distribution):
        try:
            name = normalised(each.metadata["Name"])
            if name not in seen:
                yield from _of_distribution(each)
        except Exception:  # noqa: BLE001 - metadata may contain anything; the doctor tells of packs
            continue
        seen.add(name)


def _of_distribution(distribution: Distribution) -> Iterator[Problem]:
    groups = {point.group for point in distribution.entry_points}
    pack = Origin(pack=distribution.metadata["Name"], version=distribution.version)
    kinds = [group.partition(".")[2] for group in GROUPS]
    for group in sorted(groups - set(GROUPS)):
        kind = group.partition(_OURS)[2].lstrip("._-")
        hints = [f"did you mean {_OURS}.{match}?" for match in near(kind, kinds, limit=1)]
        meant = group.startswith(f"{_OURS}.") or (_OURS in group and hints)
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
    return package != _OURS and find_spec(package) is not None

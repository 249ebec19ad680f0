"""Reads the policy files in packs, without importing anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.packs.entry_points import find_module
from handrail.packs.record import EntryPoint, PackRecord
from handrail.settings.requirements import POLICY_FILE

if TYPE_CHECKING:
    from handrail.settings.policy import Policy

GROUP = "policy"


def read_policies(records: Iterable[PackRecord]) -> tuple[list[Policy], list[Problem]]:
    """Return all installed policies, and the problems found in them.

    A policy applies even if its pack is broken or disabled.
    """
    policies: list[Policy] = []
    problems: list[Problem] = []
    for record in records:
        for entry in record.offered(GROUP):
            # Imported here, because most environments have no policy.
            from handrail.settings.policy import read_policy  # noqa: PLC0415

            file = next((each for each in _places(record, entry) if each.is_file()), None)
            if file is None:
                problems.append(_missing(record, entry))
            else:
                policy = read_policy(file, record.origin)
                policies.append(policy)
                problems += policy.problems
    return policies, problems


def _places(record: PackRecord, entry: EntryPoint) -> Iterator[Path]:
    """Yield possible paths of a policy file, the one in its own distribution first."""
    # First, because another package of the same name may precede it on the path.
    yield Path(record.location, *entry.module.split("."), POLICY_FILE)
    with suppress(ModuleNotFoundError):
        for folder in find_module(entry.module).submodule_search_locations or ():
            yield Path(folder, POLICY_FILE)


def _missing(record: PackRecord, entry: EntryPoint) -> Problem:
    return Problem(
        code="policy-unreadable",
        message=f"{record.origin} is a policy, and there is no {POLICY_FILE} in {entry.module}",
        origins=(record.origin,),
        ways_out=(
            f"install it again:  pip install --force-reinstall {record.id}",
            f"or uninstall it:  pip uninstall {record.id}",
        ),
    )

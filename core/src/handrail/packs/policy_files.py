"""Reads the policies that packs bring, from files; nothing is imported."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.packs.record import EntryPoint, PackRecord
from handrail.settings.requirements import POLICY_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from handrail.settings.policy import Policy

GROUP = "policy"


def read_policies(records: Iterable[PackRecord]) -> tuple[list[Policy], list[Problem]]:
    """Return every policy that is installed, and what cannot be used of them.

    A policy is read whatever else is wrong with its pack, and whatever switches that off.
    """
    policies: list[Policy] = []
    problems: list[Problem] = []
    for record in records:
        for entry in record.offered(GROUP):
            # Most environments have no policy: do not load what reads one for them.
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
    """Yield where the file of a policy may be, the place that the distribution owns first."""
    # Most environments have no policy, and do without these.
    from pathlib import Path  # noqa: PLC0415

    from handrail.packs.module_finder import locate  # noqa: PLC0415

    # Something else of the same name may come before it on the path.
    yield Path(record.location, *entry.module.split("."), POLICY_FILE)
    target = locate(entry.module)
    if target.file is not None:
        yield Path(os.path.dirname(target.file), POLICY_FILE)
    elif target.found:
        yield from (Path(folder, POLICY_FILE) for folder in target.folders)


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

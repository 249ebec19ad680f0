"""Policies: a company's requirements for every project. The strictest wins.

A project may add restrictions, but not loosen them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from handrail import Origin
from handrail.builtin.project.file import SettingsFile
from handrail.builtin.project.keys import KEYS, POLICY_KEYS, Keys
from handrail.builtin.project.sections import sections_of
from handrail.builtin.project.settings import Grants, Requirements, Sections, Settings
from handrail.builtin.project.settings_checks import POLICY
from handrail.builtin.project.settings_checks import POLICY_FILE as FILE
from handrail.builtin.project.toml import leaves
from handrail.errors import Problem
from handrail.frozen import frozen, replace
from handrail.packs import EntryPoint, PackRecord, Value, find_module, place_of
from handrail.trust import read_file


@frozen
class Policy:
    """A policy.

    Attributes:
        file: Its file; the owner is the distribution that contains it.
        sections: What it says.
    """

    file: SettingsFile
    sections: Sections

    @property
    def origin(self) -> Origin:
        """The distribution that contains it."""
        return self.file.owner

    @property
    def grants(self) -> Grants | None:
        """The edits that packs may make to steps of other packs; None to leave it to projects."""
        return self.sections.grants if "grants" in self.file.sections else None

    def fixed(self) -> Iterator[tuple[tuple[str, ...], Any, Origin]]:
        """Yield path (from the pack's name), value and origin of each setting that it fixes."""
        for path, value in leaves(self.sections.packs):
            if path[1:]:
                yield path, value, self.file.origin(("packs", *path))


def read_policies(records: Iterable[PackRecord]) -> tuple[list[Policy], list[Problem]]:
    """Return all installed policies, and the problems found in them.

    A policy applies even if its pack is broken or disabled.
    """
    policies: list[Policy] = []
    problems: list[Problem] = []
    for record in records:
        for entry in record.offered(POLICY):
            file = next((each for each in _places(record, entry) if each.is_file()), None)
            if file is None:
                problems.append(_missing(record, entry))
            else:
                policies.append(_read_policy(file, record.origin))
                problems += policies[-1].file.problems
    return policies, problems


def _places(record: PackRecord, entry: EntryPoint) -> Iterator[Path]:
    """Yield possible paths of a policy file, the one in its own distribution first."""
    # First, because another package of the same name may precede it on the path.
    yield Path(record.location, *entry.module.split("."), FILE)
    with suppress(ModuleNotFoundError):
        for folder in find_module(entry.module).submodule_search_locations or ():
            yield Path(folder, FILE)


def _missing(record: PackRecord, entry: EntryPoint) -> Problem:
    return Problem(
        code="policy-unreadable",
        message=f"{record.origin} is a policy, and there is no {FILE} in {entry.module}",
        origins=(record.origin,),
        ways_out=(
            f"install it again:  pip install --force-reinstall {record.id}",
            f"or uninstall it:  pip uninstall {record.id}",
        ),
    )


def _read_policy(path: Path, owner: Origin) -> Policy:
    keys = Keys(key for key in KEYS if key.startswith(POLICY_KEYS))
    file = SettingsFile(name=FILE, owner=owner, keys=keys)
    # Its owner is not checked: it is installed, and the code beside it is imported as well.
    try:
        file.read(read_file(path)[0])
    except OSError as error:
        file.problem((), f"cannot be read: {error.strerror or error}")
    return Policy(file=file, sections=sections_of(file))


def apply_policies(
    settings: Settings, policies: Sequence[Policy]
) -> tuple[Settings, list[Problem]]:
    """Return the settings of a project under `policies`, and a problem for each loosened rule."""
    problems: list[Problem] = []
    grants = _grants(settings, policies, problems)
    locked = _locked(settings, policies, problems)
    every = [*(policy.sections.required for policy in policies), settings.required]
    required = Requirements(
        packs=tuple(pack for each in every for pack in each.packs),
        steps=tuple(step for each in every for step in each.steps),
    )
    ruled = replace(
        settings, policies=tuple(policies), required=required, grants=grants, locked=locked
    )
    return ruled, problems


def _grants(
    settings: Settings, policies: Sequence[Policy], problems: list[Problem]
) -> Mapping[str, tuple[Value[str], ...]]:
    """Return the grants common to all policies that have grants, or else the project's."""
    ruling = [policy for policy in policies if policy.grants is not None]
    if not ruling:
        return settings.grants
    given: dict[str, tuple[Value[str], ...]] = {}
    for pack, grants in (ruling[0].grants or {}).items():
        kept = [grant for grant in grants if all(_gives(each, pack, grant) for each in ruling)]
        given[pack] = tuple(kept)
    for pack, grants in settings.grants.items():
        for grant in grants:
            withheld = next((each for each in ruling if not _gives(each, pack, grant)), None)
            if withheld is not None:
                problems.append(_loosened(f"grants.{pack}", grant, withheld.origin))
    return MappingProxyType(given)


def _gives(policy: Policy, pack: str, grant: Value[str]) -> bool:
    return any(grant.value == each.value for each in (policy.grants or {}).get(pack, ()))


def _locked(settings: Settings, policies: Sequence[Policy], problems: list[Problem]) -> Value[bool]:
    own = settings.locked
    locking = next((each for each in policies if each.sections.locked.value), None)
    if locking is None:
        return own
    if not own.value and own.source != "default":
        problems.append(_loosened("locked", own, locking.origin))
    return locking.sections.locked


def _loosened(key: str, own: Value[Any], policy: Origin) -> Problem:
    return Problem(
        code="policy-loosened",
        message=f"{own.source}: {key} = {_toml(own.value)} is more than {policy} allows; "
        "a project may only tighten a policy",
        origins=(place_of(own.source), policy),
        ways_out=(f"remove it, or have it added to {FILE} of {policy.pack}",),
    )


def contradictions(policies: Sequence[Policy]) -> list[Problem]:
    """Return a problem for each setting of a pack that two policies fix to different values."""
    problems: list[Problem] = []
    seen: dict[tuple[str, ...], tuple[Any, Origin]] = {}
    for policy in policies:
        for path, value, origin in policy.fixed():
            other, earlier = seen.setdefault(path, (value, origin))
            if other != value:
                problems.append(
                    Problem(
                        code="policies-contradict",
                        message=f"{earlier.owner} sets packs.{'.'.join(path)} to {_toml(other)}, "
                        f"and {origin.owner} to {_toml(value)}",
                        origins=(earlier, origin),
                        details=(earlier.source, origin.source),
                        ways_out=("change one of the two policies",),
                    )
                )
    return problems


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)

"""Requirements of a project or policy: packs with version ranges, and steps of packs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from handrail import Origin
from handrail.errors import Problem
from handrail.frozen import frozen, replace
from handrail.packs import RequiredStep, normalised
from handrail.packs.record import fits, version_range

if TYPE_CHECKING:
    from handrail.builtin.project.settings import Settings
    from handrail.packs import PackRecord

POLICY = "policy"
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


def mark_required(record: PackRecord, settings: Settings) -> PackRecord:
    """Return `record`, marked as a policy or as required if it is one and can be used."""
    if record.offered(POLICY):
        wanted = [each for each in settings.wanted_policies if each.id == record.id]
        if record.status not in ("on", "off"):
            return record
        return replace(record, status="policy", why=wanted[0].source if wanted else "installed")
    demands = [each for each in settings.required.packs if each.id == record.id]
    if not demands:
        return record
    if record.status == "off":
        owner = demands[0].origin.owner if demands[0].origin.pack else demands[0].origin.place
        return replace(record, why=f"{record.why}; required by {owner}")
    if record.status != "on":
        return record
    for each in demands:
        if not fits(record.version, each.specifiers):
            return replace(record, status="incompatible", why=f"{each.brief} wants {each.wanted}")
    return replace(record, status="required", why=demands[0].brief)


def unmet(records: Sequence[PackRecord], settings: Settings) -> Iterator[Problem]:
    """Yield a problem for each required pack or policy that is missing or unsuitable.

    Args:
        records: The packs, after `mark_required`.
        settings: The settings that apply.
    """
    by_id = {record.id: record for record in records}
    for each in settings.required.packs:
        yield from _pack(each, by_id.get(each.id))
    for each in settings.wanted_policies:
        yield from _policy(each, by_id.get(each.id))
    for record in records:
        if record.offered(POLICY):
            yield from _unusable(record)
            yield from _switched_off(record, settings)


def _pack(wanted: RequiredPack, record: PackRecord | None) -> Iterator[Problem]:
    install = f"install it:  pip install '{wanted.wanted}'"
    if record is None:
        message = f"{wanted.id} is required by {wanted.source} and is not installed"
        yield _problem(message, wanted, install, code="required-pack-missing")
    elif not fits(record.version, wanted.specifiers):
        message = f"{record.origin} is installed, and {wanted.source} requires {wanted.wanted}"
        yield _problem(
            message, wanted, install, code="required-pack-version", others=(record.origin,)
        )
    elif record.status == "off":
        why = record.why.partition(";")[0]
        message = f"{record.origin} is required by {wanted.source} and is off: {why}"
        way = "a required pack cannot be switched off; switch it on again"
        yield _problem(message, wanted, way, code="required-pack-off", others=(record.origin,))
    elif not record.is_used and record.problems:
        message = f"{record.origin} is required by {wanted.source} and is {record.status}"
        yield Problem(
            code="required-pack-broken",
            message=f"{message}: {record.why}",
            origins=(record.origin, wanted.origin),
            ways_out=(f"install it again:  pip install --force-reinstall '{wanted.wanted}'",),
        )


def _policy(wanted: RequiredPack, record: PackRecord | None) -> Iterator[Problem]:
    install = f"install it:  pip install '{wanted.wanted}'"
    if record is None or not record.offered(POLICY):
        what = "is not installed" if record is None else "is not a policy"
        message = f"{wanted.source} wants the policy {wanted.id}, which {what}"
        yield _problem(message, wanted, install, code="policy-missing")
    elif not fits(record.version, wanted.specifiers):
        message = f"{wanted.source} wants {wanted.wanted}, and {record.origin} is installed"
        yield _problem(message, wanted, install, code="policy-missing", others=(record.origin,))


def _unusable(record: PackRecord) -> Iterator[Problem]:
    if record.status in ("broken", "incompatible"):
        yield Problem(
            code="required-pack-broken",
            message=f"{record.origin} is a policy and is {record.status}: {record.why}",
            origins=(record.origin,),
            ways_out=(f"install it again:  pip install --force-reinstall {record.id}",),
        )


def _switched_off(record: PackRecord, settings: Settings) -> Iterator[Problem]:
    for choice in settings.choices:
        for name in choice.disable:
            if normalised(name.value) in map(normalised, record.names):
                yield Problem(
                    code="required-pack-off",
                    message=f"{record.origin} is a policy, which cannot be switched off: "
                    f"{name.why}",
                    origins=(record.origin,),
                    ways_out=("remove it there",),
                )


def _problem(
    message: str, wanted: RequiredPack, *ways: str, code: str, others: tuple[Origin, ...] = ()
) -> Problem:
    return Problem(code=code, message=message, origins=(*others, wanted.origin), ways_out=ways)

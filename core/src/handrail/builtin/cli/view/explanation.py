"""Explanations of a plan: why a step is where it is, or absent, and what one pack does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from handrail.amounts import plural
from handrail.builtin.cli.explain import done_by, explain
from handrail.builtin.cli.view.listing import Listing
from handrail.builtin.cli.view.table import Row, counts, names, owner_cell, reasons
from handrail.errors import NotFoundError, StepNotFoundError
from handrail.frozen import as_json
from handrail.packs.activation import match_packs
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail import Plan
    from handrail.builtin.cli.explain import Explanation, Link
    from handrail.builtin.cli.session import Session
    from handrail.packs import PackRecord


def explanation(session: Session, plan: Plan, step: str) -> Listing:
    """Return the explanation of the place of the step called `step`, or of its absence.

    Raises:
        NotFoundError: The plan has no such step, and no pack offers one.
    """
    try:
        found = explain(plan, step)
    except StepNotFoundError:
        return _absence(session, plan, step)

    def json() -> dict[str, object]:
        links = [_link_to_dict(session, link) for link in found.links]
        return {"action": plan.action, **found.to_dict(), "links": links}

    return Listing(
        json=json,
        title=[session.console.style(_where(plan, found), "bold")],
        head=(names("STEP"), reasons("WHAT WAS DONE"), names("BY"), reasons("WHERE")),
        rows=_link_rows(session, found),
        dims_head=True,
    )


def _where(plan: Plan, found: Explanation) -> str:
    gone = found.gone
    if found.place:
        where = f"{_place(plan, found)} of {plan.action}"
    else:
        by = f" by {gone.origin}" if gone and gone.kind == "removed" else ""
        why = f": {gone.told}{by}" if gone else ""
        where = f"not in the plan of {plan.action}{why}"
    lane = "" if found.lane is None else f" · lane {found.lane + 1} of {found.group}"
    return f"{found.step} · {where}{lane} · plan {plan.fingerprint[:8]}"


def _place(plan: Plan, found: Explanation) -> str:
    span = plan.span(found.step)
    if span is not None and found.step not in plan.positions:
        return f"group of steps {span.start + 1} to {span.stop} of {plan.size}"
    return f"step {found.place} of {plan.size}"


def _link_rows(session: Session, found: Explanation) -> Iterator[Row]:
    previous = ""
    for link in found.links:
        yield (
            "" if link.step == previous else link.step,
            link.told,
            owner_cell(link.origin.pack, str(link.origin)),
            link.origin.place,
        )
        previous = link.step
        if link.grant:
            yield _grant_line(session, link)


def _link_to_dict(session: Session, link: Link) -> dict[str, object]:
    document: dict[str, object] = as_json(link)
    if link.grant:
        document["grant_source"] = _grant_source(session, link)
    return document


def _grant_line(session: Session, link: Link) -> str:
    return f'allowed: "{link.grant}" in [grants], {_grant_source(session, link)}'


def _grant_source(session: Session, link: Link) -> str:
    """Return where the settings have the grant that an edit used."""
    for name, grants in session.settings.grants.items():
        if any(
            record.id == link.origin.pack for record in match_packs(name, session.packs.records)
        ):
            return next((each.source for each in grants if each.value == link.grant), "")
    return ""


def _absence(session: Session, plan: Plan, name: str) -> Listing:
    """Return why a step that some pack offers is not in the plan."""
    offers = [
        record
        for record, entry in session.packs.catalog.offers("steps")
        if entry.name == name.rpartition(":")[2]
    ]
    if not offers:
        raise _unknown(session, plan, name)

    def json() -> dict[str, object]:
        offered = [
            {"pack": each.id, "version": each.version, "status": each.status, "why": each.why}
            for each in offers
        ]
        step: dict[str, object] = {"action": plan.action, "step": name, "place": None, "links": []}
        return {**step, "offered_by": offered}

    head = f"{name} · not in the plan of {plan.action}"
    lines = [
        f"  {record.origin} offers it, {_why_absent(record, plan.action)}" for record in offers
    ]
    return Listing(json=json, title=[session.console.style(head, "bold"), *lines])


def _why_absent(record: PackRecord, action: str) -> str:
    if record.is_used:
        return f"and is on, but nobody puts it into {action}"
    return f"and is {record.status}: {record.why}"


def _unknown(session: Session, plan: Plan, name: str) -> NotFoundError:
    history = plan.history
    shown: Any = plan.to_dict()["steps"]
    names = [*(planned.name for planned in plan.steps), *(each["name"] for each in shown)]
    if history is not None:
        names += [draft.entry.name for draft in history.base]
    names += [entry.name for _, entry in session.packs.catalog.offers("steps")]
    off = [f"{each.id} ({each.why})" for each in session.packs.records if each.status == "off"]
    return NotFoundError(
        f"{plan.action} has no step '{name}', and no pack offers one",
        ways_out=(
            did_you_mean(name, dict.fromkeys(names)),
            f"all steps of the plan:  handrail plan {plan.action}",
            f"off, so not asked: {', '.join(off)}" if off else "",
        ),
    )


# What one pack does


def work_of(session: Session, plan: Plan, record: PackRecord) -> Listing:
    """Return what a pack does to a plan: its steps, layers and other edits."""
    done = list(done_by(plan, record.id))

    def json() -> dict[str, object]:
        edits = [{"place": place or None, **_link_to_dict(session, each)} for place, each in done]
        pack = {"pack": record.id, "version": record.version, "status": record.status}
        return {"action": plan.action, "fingerprint": plan.fingerprint, **pack, "edits": edits}

    facts = [plan.action, f"by {record.origin}", plural(len(done), "edit")]
    style = session.console.style
    title = style(" · ".join([*facts, f"plan {plan.fingerprint[:8]}"]), "bold")
    if not done:
        why = "" if record.is_used else f"; it is {record.status}: {record.why}"
        nothing = f"  {record.id} does nothing to the plan of {plan.action}{why}"
        return Listing(json=json, title=[title, nothing])
    return Listing(
        json=json,
        title=[title],
        head=(counts(" #"), names("STEP"), reasons("WHAT IS DONE"), reasons("WHERE")),
        rows=_edit_rows(session, done),
        dims_head=True,
    )


def _edit_rows(session: Session, done: Sequence[tuple[int, Link]]) -> Iterator[Row]:
    for place, link in done:
        yield (f"{place:2d}" if place else " -", link.step, link.told, link.origin.place)
        if link.grant:
            yield _grant_line(session, link)

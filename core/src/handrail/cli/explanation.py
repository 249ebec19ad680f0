"""`handrail plan ACTION --explain STEP`: the chain of edits that put a step where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.cli.view.text import table
from handrail.errors import ExitCode, NotFoundError, StepNotFoundError
from handrail.packs.activation import match_packs
from handrail.plan.explain import Explanation, Link, explain
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.packs.record import PackRecord
    from handrail.plan.plan import Plan


def show_explanation(session: Session, plan: Plan, name: str, *, as_json: bool) -> int:
    """Show why the step called `name` is where it is, or is not there, and return the exit code.

    Raises:
        NotFoundError: Nobody has heard of it.
    """
    try:
        found = explain(plan, name)
    except StepNotFoundError:
        return _show_absent(session, plan, name, as_json=as_json)
    if as_json:
        links = [_with_source(session, link) for link in found.links]
        session.console.json({"action": plan.action, **found.to_dict(), "links": links})
        return ExitCode.DONE
    for line in _lines(session, plan, found):
        session.console.print(line)
    return ExitCode.DONE


def _lines(session: Session, plan: Plan, found: Explanation) -> list[str]:
    console = session.console
    gone = found.gone
    if found.place:
        where = f"step {found.place} of {len(plan.steps)} of {plan.action}"
    else:
        by = f" by {gone.origin}" if gone and gone.kind == "removed" else ""
        why = f": {gone.told}{by}" if gone else ""
        where = f"not in the plan of {plan.action}{why}"
    head = f"{found.step} · {where} · plan {plan.fingerprint[:8]}"
    rows: list[tuple[str, ...]] = []
    previous = ""
    for link in found.links:
        name = "" if link.step == previous else link.step
        previous = link.step
        rows.append((name, link.told, str(link.origin), link.origin.place))
        if link.grant:
            rows.append(("", f'allowed: "{link.grant}"', "[grants]", _source(session, link)))
    lines = table(("STEP", "WHAT WAS DONE", "BY", "WHERE"), rows)
    lines[0] = console.style(lines[0], "dim")
    return [console.style(head, "bold"), *lines]


def _with_source(session: Session, link: Link) -> dict[str, object]:
    document = link.to_dict()
    if link.grant:
        document["grant_source"] = _source(session, link)
    return document


def _source(session: Session, link: Link) -> str:
    """Return where the settings have the grant that an edit used."""
    for name, grants in session.packs.settings.grants.items():
        if any(
            record.id == link.origin.pack for record in match_packs(name, session.packs.records)
        ):
            return next((each.source for each in grants if each.value == link.grant), "")
    return ""


def _show_absent(session: Session, plan: Plan, name: str, *, as_json: bool) -> int:
    """Tell about a step that some pack offers and that nobody put into the plan."""
    offers = [
        record
        for record, entry in session.packs.catalog.offers("steps")
        if entry.name == name.rpartition(":")[2]
    ]
    if not offers:
        raise _unknown(session, plan, name)
    if as_json:
        offered = [
            {"pack": each.id, "version": each.version, "status": each.status, "why": each.why}
            for each in offers
        ]
        session.console.json(
            {
                "action": plan.action,
                "step": name,
                "place": None,
                "links": [],
                "offered_by": offered,
            }
        )
        return ExitCode.DONE
    console = session.console
    console.print(console.style(f"{name} · not in the plan of {plan.action}", "bold"))
    for record in offers:
        console.print(f"  {record.origin} offers it, {_why_absent(record, plan.action)}")
    return ExitCode.DONE


def _why_absent(record: PackRecord, action: str) -> str:
    if record.is_used:
        return f"and is on, but nobody puts it into {action}"
    return f"and is {record.status}: {record.why}"


def _unknown(session: Session, plan: Plan, name: str) -> NotFoundError:
    history = plan.history
    names = [planned.name for planned in plan.steps]
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

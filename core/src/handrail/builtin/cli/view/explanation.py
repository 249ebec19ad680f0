"""The explanation of a step of a plan: why it is where it is, or absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from inspect import unwrap
from typing import TYPE_CHECKING, Any

from handrail.builtin.cli.view.table import Listing, Row, names, owner_cell, reasons
from handrail.errors import NotFoundError, StepNotFoundError
from handrail.frozen import as_json, frozen, record, replace
from handrail.inspection import FunctionStep, source_of
from handrail.places import innermost

if TYPE_CHECKING:
    from handrail import Origin, Plan, PlannedStep
    from handrail.builtin.cli.session import Session
    from handrail.packs import Entry, History, Insertion


def explanation(session: Session, plan: Plan, step: str) -> Listing:
    """Return the explanation of the place of the step called `step`, or of its absence.

    Raises:
        NotFoundError: The plan has no such step, and no pack offers one.
    """
    try:
        found = explain(plan, step)
    except StepNotFoundError as error:
        return _absence(session, plan, step, error)
    return Listing(
        json=lambda: {"action": plan.action, **found.to_dict()},
        title=[session.console.style(_where(plan, found), "bold")],
        head=(names("STEP"), reasons("WHAT WAS DONE"), names("BY"), reasons("WHERE")),
        rows=_link_rows(found),
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


def _link_rows(found: Explanation) -> Iterator[Row]:
    previous = ""
    for link in found.links:
        yield (
            "" if link.step == previous else link.step,
            link.told,
            owner_cell(link.origin.pack, str(link.origin)),
            link.origin.place,
        )
        previous = link.step


def _absence(session: Session, plan: Plan, name: str, error: StepNotFoundError) -> Listing:
    """Return why a step that some pack offers is not in the plan."""
    offers = [
        record
        for record, entry in session.packs.catalog.offers("steps")
        if entry.name == name.rpartition(":")[2]
    ]
    if not offers:
        off = [f"{each.id} ({each.why})" for each in session.packs.records if each.status == "off"]
        raise NotFoundError(
            f"{error}, and no pack offers one",
            ways_out=(
                f"all steps of the plan:  handrail plan {plan.action}",
                f"off, so not asked: {', '.join(off)}" if off else "",
            ),
        ) from None
    head = session.console.style(f"{name} · not in the plan of {plan.action}", "bold")
    unused = f"on, but nobody puts it into {plan.action}"
    return Listing(
        json=lambda: {
            "action": plan.action,
            "step": name,
            "place": None,
            "links": [],
            "offered_by": [
                {"pack": each.id, "version": each.version, "status": each.status, "why": each.why}
                for each in offers
            ],
        },
        title=[head]
        + [
            f"  {each.origin} offers it, and is "
            + (unused if each.is_used else f"{each.status}: {each.why}")
            for each in offers
        ],
    )


@frozen
class Link:
    """One edit in the chain that leads to a step.

    Attributes:
        kind: `inserted`, `replaced`, `wrapped`, `limited`, `moved`, `removed`; or `ordered`, about
            the order of an undo. A chain ends with `base`, a step of the action itself, with
            `added`, a step that a pack appended, or with `skipped`, if its anchor is missing.
        step: The edited step.
        told: The edit in a few words, such as `inserted before upload_files`.
        origin: Origin of the edit.
    """

    kind: str
    step: str
    told: str
    origin: Origin


@frozen
class Explanation:
    """The reason for the place of a step, or for its absence.

    Attributes:
        step: Its name in the plan; its own name if it is not in the plan.
        place: Its position, counted from 1, for a group that of its first step; 0 if it is not in
            the plan.
        links: The edits of the step, then those of its anchor, and so on.
        group: Name of the group in which it stands, or None.
        lane: Number of its lane in that group, from 0, or None.
    """

    step: str
    place: int
    links: tuple[Link, ...]
    group: str | None = None
    lane: int | None = None

    @property
    def gone(self) -> Link | None:
        """The removal, or the missing anchor, that keeps the step out of the plan."""
        if self.place:
            return None
        own = [link for link in self.links if link.step == self.step]
        return next((link for link in own if link.kind in ("removed", "skipped")), None)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: `step`, `place` and `links`; in a group, `group` and `lane`."""
        lane = {} if self.group is None else {"group": self.group, "lane": self.lane}
        return {
            "step": self.step,
            "place": self.place or None,
            **lane,
            "links": as_json(self.links),
        }


def explain(plan: Plan, name: str) -> Explanation:
    """Return why a step or group is at its place, or absent from the plan.

    Raises:
        StepNotFoundError: No step or group of the plan or of its edits answers to `name`.
    """
    inside = _explain_inside(plan, name)
    if inside is not None:
        return inside
    things = {} if plan.history is None else _things(plan.history)
    thing = things.get(name)
    if thing is None:
        raise StepNotFoundError.among(name, [*things, *_names_in(plan)])
    span = plan.span(name)
    planned = plan.steps[plan.positions[name]] if name in plan.positions else None
    links = [*thing.links, *_links_of(plan, planned)]
    seen = {id(thing)}
    while thing.anchor in things and id(things[thing.anchor]) not in seen:
        thing = things[thing.anchor]
        seen.add(id(thing))
        links += [link for link in thing.links if link.kind != "limited"]
    return Explanation(
        step=links[0].step if planned is None else planned.name,
        place=0 if span is None else span.start + 1,
        links=tuple(links),
        group=None if planned is None else planned.group,
        lane=None if planned is None else planned.lane,
    )


def _explain_inside(plan: Plan, name: str) -> Explanation | None:
    """Return why a step of a run that a step makes is there, by its name `STEP.NAME`."""
    for planned in plan.steps:
        before = f"{planned.name}."
        if planned.inner is not None and name.startswith(before):
            found = explain(planned.inner, name.removeprefix(before))
            links = tuple(replace(link, step=f"{before}{link.step}") for link in found.links)
            step = f"{before}{found.step}"
            places = {name: place for place, name in enumerate(_names_in(plan), 1)}
            return replace(found, step=step, links=links, place=places.get(step, 0))
    return None


def _names_in(plan: Plan) -> list[str]:
    """Return the names of all steps, those of runs in the place of the steps that make these."""
    steps: Any = plan.to_dict()["steps"]
    return [each["name"] for each in steps]


@record
class _Thing:
    """A step or group of the plan or of its edits, with the edits applied to it.

    Attributes:
        name: Its name.
        group: The group that it is in, or nothing.
        anchor: What it was put before or after, or nothing.
        links: The edits, a replacement after that which placed the replaced step.
    """

    name: str
    group: str = ""
    anchor: str = ""
    links: list[Link] = field(default_factory=list[Link])

    def add(self, kind: str, told: str, origin: Origin) -> None:
        self.links.append(Link(kind=kind, step=self.name, told=told, origin=origin))


def _things(history: History) -> dict[str, _Thing]:
    """Return every step of the plan and its edits, by each of its names."""
    things: dict[str, _Thing] = {}
    for entry, of in history.base:
        thing = _Thing(entry.name, group=_group_of(entry))
        thing.add("base", "base", _defined(entry, of))
        things.update(dict.fromkeys(entry.names, thing))
        if entry.lane is not None and thing.group not in things:
            made = things[thing.group] = _Thing(thing.group)
            made.add(
                "base", "base", replace(entry.lane.group.origin, pack=of.pack, version=of.version)
            )
    left_out = set(map(id, history.left_out))
    inserted = [insertion for edits in history.edits for insertion in edits.insertions]
    # Those that are left out give way where a name is taken.
    for insertion in sorted(inserted, key=lambda each: id(each) in left_out):
        for entry in insertion.entries:
            group = _group_of(entry)
            thing = _inserted(entry.name, insertion, group, skipped=id(insertion) in left_out)
            for name in entry.names:
                things.setdefault(name, thing)
            if group:
                made = _inserted(group, insertion, "", skipped=id(insertion) in left_out)
                things.setdefault(group, made)
    _change(things, history)
    return things


def _inserted(name: str, insertion: Insertion, group: str, *, skipped: bool) -> _Thing:
    anchor = insertion.anchor or ""
    thing = _Thing(name, group, "" if skipped else anchor)
    if skipped:
        told = f"left out: {anchor}, which it would be {insertion.side}, is not there"
        thing.add("skipped", told, insertion.origin)
    elif anchor:
        thing.add("inserted", f"inserted {insertion.side} {anchor}", insertion.origin)
    else:
        thing.add("added", "put at the end", insertion.origin)
    return thing


def _group_of(entry: Entry) -> str:
    return "" if entry.lane is None else entry.lane.group.name


def _defined(entry: Entry, origin: Origin) -> Origin:
    """Return the origin of a step of the action, with the line where its work is defined."""
    step = innermost(entry.step)
    work = step.function if isinstance(step, FunctionStep) else type(step).execute
    code = getattr(unwrap(work), "__code__", None)
    if origin.line or code is None:
        return origin
    module = str(getattr(work, "__module__", ""))
    file = source_of(module if origin.pack is not None else "", str(code.co_filename))
    return replace(origin, module=module, file=file, line=code.co_firstlineno)


def _change(things: dict[str, _Thing], history: History) -> None:
    """Add the edits that replace, remove and limit what is there."""
    for replacement in (each for edits in history.edits for each in edits.replacements):
        if target := things.get(replacement.name):
            target.add("replaced", f"replaced by {replacement.entry.name}", replacement.origin)
            for name in replacement.entry.names:
                things.setdefault(name, target)
    for limiting in (each for edits in history.edits for each in edits.limitings):
        if target := things.get(limiting.name):
            values = ", ".join(f"{name} = {value}" for name, value in limiting.values.items())
            target.add("limited", f"given {values}", limiting.origin)
    removed = {each.name: each.origin for edits in history.edits for each in edits.removals}
    for name, thing in things.items():
        origin = removed.get(name) or removed.get(thing.group)
        if origin and thing.links[-1].kind != "removed":  # It may have several names.
            thing.add("removed", "removed", origin)


def _links_of(plan: Plan, planned: PlannedStep | None) -> Iterator[Link]:
    """Yield what the plan itself tells of a step: its layers, its end of the plan, its undo."""
    if planned is None:
        return
    name = planned.name
    for layer in reversed(planned.layers):
        told = f"wrapped by {layer.name}" + ", which changes it" * layer.changes
        yield Link(kind="wrapped", step=name, told=told, origin=layer.origin)
    if planned.always_run:
        told = "closes the plan, as it always runs"
        yield Link(kind="moved", step=name, told=told, origin=planned.origin)
    elif planned.reason.endswith("always run"):
        told = "moved before the steps that always run"
        yield Link(kind="moved", step=name, told=told, origin=planned.origin)
    for each in plan.steps:
        for other in each.facts.undo_before:
            if each is planned:
                told = f"undone before {other}, which waits while that fails"
            elif other in planned.names:
                told = f"undone only after {each.name}"
            else:
                continue
            yield Link(kind="ordered", step=name, told=told, origin=each.origin)

"""`handrail lock`: writes the plans that may run to the lock file, and shows changes since."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.amounts import plural
from handrail.builtin.cli.commands.plan import planned
from handrail.builtin.cli.params.options import options_of
from handrail.builtin.cli.params.values import put_pairs
from handrail.builtin.cli.session import Session, session_of, takes_json, warn
from handrail.builtin.cli.view.failure import problem_lines
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.project.differences import changes, drift, mark_of
from handrail.builtin.project.lock import not_locked, outline_of
from handrail.builtin.project.lock_file import LockedAction, find, read_lock, write_lock
from handrail.builtin.project.project import LOCK_FILE
from handrail.builtin.project.targets import find_target, lock_name, name_from
from handrail.errors import (
    ExitCode,
    LockError,
    NotFoundError,
    ParamsNeededError,
    PlanError,
    Problem,
)
from handrail.frozen import as_json, frozen
from handrail.packs import Target
from handrail.redact import has_password

if TYPE_CHECKING:
    from handrail import Plan


@frozen
class _Checked:
    """An action of the lock, beside its plan of today.

    Attributes:
        name: Its name.
        problems: How the plan differs from the lock; or why there is none.
        invalid: Whether it cannot be planned, so that locking it again is no way out.
    """

    name: str
    problems: tuple[Problem, ...] = ()
    invalid: bool = False


@frozen
class _Wanted:
    """An action to be locked, by the name and params given."""

    name: str
    params: tuple[str, ...] = ()
    locked: LockedAction | None = None


@click.command()
@click.argument("names", nargs=-1, metavar="[ACTION]...")
@click.option("--check", is_flag=True, help="Write nothing; show what has changed since.")
@click.option(
    "-p",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="A param that the steps of ACTION depend on; the lock records it. Repeatable.",
)
@takes_json
@click.pass_context
def lock(ctx: click.Context, names: tuple[str, ...], pairs: tuple[str, ...], check: bool) -> int:
    """Lock the plans of actions: from then on they run only as they are now.

    Writes handrail.lock into the project; commit it. For each ACTION it contains the steps in
    order, the layers around them, and the packs that shape the plan, each with its version and a
    digest of its RECORD, which has the hash of every installed file. Without ACTION, all installed
    actions are locked, and those already in the lock.

    With a lock, a run stops before the first step, with exit code 3, if its plan differs or its
    action is not in the lock. `run --no-lock` ignores the lock.

    \b
    handrail lock                          all installed actions
    handrail lock upload flows.py:nightly  these; the others stay as they are
    handrail lock upload -p fast=true      one whose steps depend on a param
    handrail lock --check                  exits with 3 if anything has changed
    """  # noqa: D301 - the escape tells click to keep the lines
    session = session_of(ctx)
    warn(session)
    if pairs and (len(names) != 1 or check):
        raise click.UsageError("-p belongs to one ACTION that is locked; name just that")
    folder = session.settings.project.folder
    known = read_lock(folder)
    if check:
        if known is None:
            raise LockError(
                f"there is no {LOCK_FILE} in {folder}", ways_out=("write one:  handrail lock",)
            )
        checked = [_checked_name(session, known, name) for name in names]
        checked = checked or [_checked(session, each) for each in known]
        session.show(_checks(session, checked))
        return ExitCode.PLAN if any(each.problems for each in checked) else ExitCode.DONE
    session.show(_write(session, known or (), names, pairs))
    return ExitCode.DONE


def _write(
    session: Session,
    known: Sequence[LockedAction],
    names: Sequence[str],
    pairs: tuple[str, ...],
) -> Listing:
    """Write the lock, and return its new contents as a listing."""
    for pair in filter(has_password, pairs):
        raise click.UsageError(
            f"-p {pair.partition('=')[0]} has a password in it, and {LOCK_FILE} is shared"
        )
    wanted = [_Wanted(name=name, params=pairs) for name in names] or [*_everything(session, known)]
    made, gone = _outlines(session, wanted)
    if not made and not gone:
        raise LockError(
            "there is nothing to lock: no installed pack brings an action",
            ways_out=("lock one of your own:  handrail lock flows.py:NAME",),
        )
    replaced = {each.key for each in (*made, *gone)}
    kept = [each for each in known if each.key not in replaced]
    write_lock(session.settings.project.folder, [*kept, *made])
    compared = [(each, find(known, each.key)) for each in made]
    count = plural(len(kept) + len(made), "action")
    off = session.packs.off
    file = os.path.relpath(session.settings.project.folder / LOCK_FILE, session.folder)
    return Listing(
        json=lambda: {
            "file": LOCK_FILE,
            "actions": [_to_dict(now, was, off) for now, was in compared],
            "dropped": [each.name for each in gone],
        },
        title=[
            *(line for now, was in compared for line in _action_lines(now, was, off)),
            *(f"dropped {each.name}: it is not there any more" for each in gone),
            f"wrote {file} · {count} · from now on they run only like this",
        ],
    )


def _outlines(
    session: Session, wanted: Sequence[_Wanted]
) -> tuple[list[LockedAction], list[LockedAction]]:
    """Return the current actions, and those of the lock that no longer exist."""
    made: list[LockedAction] = []
    gone: list[LockedAction] = []
    for want in wanted:
        try:
            made.append(_outline(session, want))
        except NotFoundError:
            if want.locked is None:
                raise
            gone.append(want.locked)
    return made, gone


def _everything(session: Session, known: Sequence[LockedAction]) -> Iterator[_Wanted]:
    """Yield the installed actions, and the other actions of the lock."""
    offers = [offer for offer in session.packs.catalog.offers("actions") if offer[0].is_used]
    for record, entry in offers:
        was = find(known, (entry.name, record.origin.pack))
        params = was.params if was is not None else ()
        yield _Wanted(name=f"{record.id}:{entry.name}", params=params)
    offered = {(entry.name, record.origin.pack) for record, entry in offers}
    for was in known:
        if was.key not in offered:
            yield _known(session, was)


def _known(session: Session, was: LockedAction) -> _Wanted:
    """Return an action of the lock, by the name that leads to it from the working folder."""
    project = session.settings.project.folder
    name = name_from(was, project, session.folder)
    return _Wanted(name=name, params=was.params, locked=was)


def _outline(session: Session, wanted: _Wanted) -> LockedAction:
    target = find_target(session.packs, session.folder, wanted.name)
    plan = _plan(session, target, wanted.params)
    name = lock_name(target, session.packs)
    return outline_of(session.packs, name, plan, params=wanted.params)


def _plan(session: Session, target: Target, pairs: tuple[str, ...]) -> Plan:
    action_class = target.action_class
    options = options_of(action_class.params_model, action_class.action_name)
    params: dict[str, Any] = {}
    put_pairs(params, options, pairs)
    try:
        return planned(session, target, params, options)
    except ParamsNeededError as error:
        name = lock_name(target, session.packs).shown
        way = f"lock it with one:  handrail lock {name} -p {'.'.join(error.path)}=..."
        raise ParamsNeededError(error.action, error.path, ways_out=(way,)) from None


def _checks(session: Session, actions: Sequence[_Checked]) -> Listing:
    """Return the actions of the lock, each with its differences from the plan of today."""
    return Listing(
        json=lambda: {
            "file": LOCK_FILE,
            "matches": not any(each.problems for each in actions),
            "actions": [
                {"name": each.name, "problems": as_json(each.problems)} for each in actions
            ],
        },
        title=_check_lines(session, actions),
    )


def _check_lines(session: Session, actions: Sequence[_Checked]) -> Iterator[str]:
    for each in actions:
        if not each.problems:
            continue
        name, count = each.name, len(each.problems)
        head = f"{name} differs from {LOCK_FILE} · {plural(count, 'difference')}"
        if each.invalid:
            head = f"{name} cannot be planned · {plural(count, 'problem')}"
        yield session.console.style(head, "bold")
        for number, problem in enumerate(each.problems, 1):
            yield from problem_lines(session, problem, number)
        if not each.invalid:
            yield f"  if the plan is meant to be as it is now:  handrail lock {name}"
    matching = [each.name for each in actions if not each.problems]
    if matching:
        yield f"{', '.join(matching)}: as in {LOCK_FILE}"


def _checked_name(session: Session, known: Sequence[LockedAction], name: str) -> _Checked:
    action = lock_name(find_target(session.packs, session.folder, name), session.packs)
    was = find(known, action.key)
    if was is None:
        return _Checked(name=action.name, problems=(not_locked(action.name),))
    return _checked(session, was)


def _checked(session: Session, was: LockedAction) -> _Checked:
    """Return an action of the lock, and every way in which it differs or cannot be planned."""
    try:
        now = _outline(session, _known(session, was))
        return _Checked(name=was.name, problems=drift(was, now, session.packs.off))
    except NotFoundError as error:
        return _Checked(name=was.name, problems=(_gone(was, error),))
    except PlanError as error:
        return _Checked(name=was.name, problems=error.problems, invalid=True)


def _gone(was: LockedAction, error: NotFoundError) -> Problem:
    return Problem(
        code="action-gone",
        message=error.message,
        ways_out=(
            *((f"pip install {was.pack}",) if was.pack else ()),
            "or lock what there is:  handrail lock",
        ),
    )


def _action_lines(
    now: LockedAction, was: LockedAction | None, off: Mapping[str, str]
) -> Iterator[str]:
    counts = f"{plural(len(now.steps), 'step')} · {plural(len(now.packs), 'pack')}"
    found = [] if was is None else changes(was, now, off)
    news = "new" if was is None else plural(len(found), "change") if found else "unchanged"
    yield f"locked {now.name} · {counts} · {news}"
    for change in found:
        yield f"  {mark_of(change)} {change.message}"
    loose = [f"{pack} ({pack.record})" for pack in now.packs if not pack.is_pinned]
    if loose:
        yield f"  only the version is locked of {', '.join(loose)}"


def _to_dict(
    now: LockedAction, was: LockedAction | None, off: Mapping[str, str]
) -> dict[str, object]:
    found = [] if was is None else changes(was, now, off)
    return {
        "name": now.name,
        "pack": now.pack,
        "steps": [step.name for step in now.steps],
        "packs": [
            {"id": pack.id, "version": pack.version, "record": pack.record} for pack in now.packs
        ],
        "new": was is None,
        "changes": [f"{mark_of(each)} {each.message}" for each in found],
    }

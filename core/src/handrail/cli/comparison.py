"""`handrail plan ACTION --without PACK`: what would change if a pack were not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from handrail.cli.view.failure import problem_lines
from handrail.cli.view.text import plural
from handrail.errors import ExitCode, NotFoundError, PackError, PlanError, Problem
from handrail.packs.installed import installed_packs
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.packs.provider import PackProvider
    from handrail.packs.record import PackRecord
    from handrail.plan.plan import Plan
    from handrail.targets import Target

Make = Callable[["PackProvider"], "Plan"]


def show_without(
    session: Session, target: Target, make: Make, names: Sequence[str], *, as_json: bool
) -> int:
    """Show the plan of `target` beside the one without the packs `names`; return the exit code.

    Raises:
        NotFoundError: No installed pack is called so.
        PackError: A pack that stays is broken.
    """
    left_out = [_record(session, name) for name in names]
    ids = tuple(record.id for record in left_out)
    before, refused = _plan_or_problems(make, session.packs)
    after: Plan | None = None
    problems: tuple[Problem, ...]
    owner = next((record for record in left_out if record.id == target.origin.pack), None)
    if owner is not None:
        problems = (_no_action(target, owner),)
    else:
        others = installed_packs(
            start=session.folder,
            no_packs=(*session.no_packs, *ids),
            only_packs=session.only_packs,
            pack_values=session.packs.settings.pack_values,
        )
        after, problems = _plan(make, others)
    if as_json:
        session.console.json(
            {
                "action": target.action_class.action_name,
                "without": list(ids),
                "fingerprint": None if before is None else before.fingerprint,
                "fingerprint_without": None if after is None else after.fingerprint,
                "diff": [] if before is None or after is None else before.diff(after),
                "problems": [problem.to_dict() for problem in problems],
                "problems_with": [problem.to_dict() for problem in refused],
                "needed_by": _needed_by(problems, ids),
            }
        )
    else:
        _show(session, target, left_out, (before, refused), (after, problems))
    return ExitCode.PLAN if after is None else ExitCode.DONE


def _plan(make: Make, packs: PackProvider) -> tuple[Plan | None, tuple[Problem, ...]]:
    try:
        return make(packs), ()
    except PlanError as error:
        return None, error.problems


def _plan_or_problems(make: Make, packs: PackProvider) -> tuple[Plan | None, tuple[Problem, ...]]:
    """Plan with packs of which one may be broken: to leave that one out may be the question."""
    try:
        return _plan(make, packs)
    except PackError as error:
        told = Problem(code=error.code, message=error.message)
        return None, error.problems or (told,)


def _record(session: Session, name: str) -> PackRecord:
    record = session.packs.catalog.pack(name)
    if record is None:
        known = dict.fromkeys(each.id for each in session.packs.records)
        raise NotFoundError(
            f"no installed pack is called '{name}'",
            ways_out=(did_you_mean(name, known), "the installed ones:  handrail packs"),
        )
    return record


def _no_action(target: Target, owner: PackRecord) -> Problem:
    return Problem(
        code="action-gone",
        message=f"{target.action_class.action_name} is an action of {owner.origin}: "
        "without the pack there is none",
        origins=(owner.origin,),
    )


def _needed_by(problems: Sequence[Problem], ids: Sequence[str]) -> list[str]:
    """Return the packs that cannot do without those that were left out."""
    accused = [problem.origins[0] for problem in problems if problem.origins]
    return list(dict.fromkeys(str(origin) for origin in accused if origin.pack not in ids))


def _show(
    session: Session,
    target: Target,
    left_out: Sequence[PackRecord],
    given: tuple[Plan | None, tuple[Problem, ...]],
    made: tuple[Plan | None, tuple[Problem, ...]],
) -> None:
    console = session.console
    (before, refused), (after, problems) = given, made
    name = target.action_class.action_name
    packs = " and ".join(str(record.origin) for record in left_out)
    for record in left_out:
        if record.status == "off":
            console.note(f"{record.origin} is off already: {record.why}")
    if after is None:
        count = plural(len(problems), "problem")
        console.print(console.style(f"{name} · without {packs} its plan has {count}", "bold"))
        for number, problem in enumerate(problems, 1):
            for line in problem_lines(session, problem, number):
                console.print(line)
        needed = _needed_by(problems, [record.id for record in left_out])
        if needed:
            console.print(f"needed by {', '.join(needed)}")
        return
    if before is None:
        count = plural(len(refused), "problem")
        console.print(console.style(f"{name} · its plan has {count}, without {packs} none", "bold"))
        flags = " ".join(f"--no-pack {record.id}" for record in left_out)
        console.print(f"the plan without:  handrail plan {target.name} {flags}")
        return
    lines = before.diff(after)
    steps = f"{len(before.steps)} to {plural(len(after.steps), 'step')}"
    ids = f"plan {before.fingerprint[:8]} to {after.fingerprint[:8]}"
    what = f"{steps} · {ids}" if lines else "nothing changes"
    console.print(console.style(f"{name} · without {packs} · {what}", "bold"))
    for line in lines:
        console.print(f"  {line}")

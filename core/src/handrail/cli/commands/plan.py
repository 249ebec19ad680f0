"""`handrail plan`: shows the plan of a run, explains a step, and compares plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.cli.action_group import ActionGroup
from handrail.cli.params.defaults import defaults_of, take_pack_values
from handrail.cli.params.options import ActionCommand, options_of
from handrail.cli.params.values import labelled, labelled_need, params_from
from handrail.cli.session import OWN_OPTIONS, session_of, warn
from handrail.cli.view.failure import problem_lines
from handrail.cli.view.listing import Listing
from handrail.cli.view.text import WIDTH, columns, one_line, percent, plural
from handrail.errors import (
    ExitCode,
    HandrailError,
    NotFoundError,
    PackError,
    ParamsError,
    ParamsNeededError,
    PlanError,
    Problem,
    StepNotFoundError,
)
from handrail.frozen import frozen
from handrail.packs.activation import match_packs
from handrail.packs.installed import installed_packs
from handrail.suggest import did_you_mean
from handrail.targets import lock_name

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.lock.check import Comparison
    from handrail.packs.provider import PackProvider
    from handrail.packs.record import PackRecord
    from handrail.plan.explain import Explanation, Link
    from handrail.plan.plan import Plan, PlannedStep
    from handrail.plan.trace import Question, TracedPacks
    from handrail.targets import Target

Make = Callable[["PackProvider"], "Plan"]


def plan_options() -> list[click.Parameter]:
    """Return the options that `plan` has for every action."""
    return [
        click.Option(["--params"], metavar="FILE", help="Read params from a JSON or TOML file."),
        click.Option(
            ["-p", "pairs"],
            multiple=True,
            metavar="KEY=VALUE",
            help="Set one param, or with PACK.KEY a setting of a pack. Repeatable.",
        ),
        click.Option(
            ["--explain"], metavar="STEP", help="Show the chain of edits that put STEP there."
        ),
        click.Option(
            ["--trace"], is_flag=True, help="Show what each pack was asked, and what it answered."
        ),
        click.Option(
            ["--without"],
            multiple=True,
            metavar="PACK",
            help="Show what would change without PACK. Repeatable.",
        ),
        click.Option(["--json"], is_flag=True, expose_value=False, help="Write JSON."),
    ]


def command_for(target: Target) -> click.Command:
    """Return the command that plans `target`."""
    shared = plan_options()
    taken = {name for parameter in shared for name in parameter.opts} | OWN_OPTIONS
    action_class = target.action_class
    options = options_of(action_class.params_model, action_class.action_name, taken)

    def callback(**values: Any) -> int:
        context = click.get_current_context()
        session = session_of(context)
        warn(session, goes_on=False)
        pairs = take_pack_values(session, values["pairs"], options)
        defaults = defaults_of(session, action_class, options)
        defaults.check()
        params = params_from(
            context, options, file=values["params"], pairs=pairs, defaults=defaults.values
        )

        def make(packs: PackProvider) -> Plan:
            try:
                return action_class.partial(params, packs=packs).plan()
            except ParamsError as error:
                raise labelled(error, options) from error.__cause__
            except ParamsNeededError as error:
                raise labelled_need(error, options) from None

        return _answer(session, target, make, values)

    return ActionCommand(
        target.name,
        options=options,
        params=[*options.parameters, *shared],
        callback=callback,
        help=f"Show what a run of {target.name} would do, and who put each step there.\n\n"
        "Params may be left out as long as no step depends on them.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


@click.command(
    cls=ActionGroup,
    command_for=command_for,
    params=plan_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def plan(**_early: object) -> None:
    """Show what a run would do, and who put each step there.

    Nothing is run, and no target is touched. ACTION is named as for `handrail run`. For each step,
    the table shows its share of the progress, whether it can be undone, the pack that it is from,
    and the reason for its place; layers around a step have their own lines.

    \b
    handrail plan flows.py:nightly               with the packs that are on
    handrail plan flows.py:nightly --without X   what one of them changes
    handrail plan flows.py:nightly --explain S   who put the step S where it is
    handrail plan flows.py:nightly --trace       what each pack was asked, and what it answered
    """  # noqa: D301 - the escape tells click to keep the lines


def _answer(session: Session, target: Target, make: Make, values: dict[str, Any]) -> int:
    """Show the plan, or the explanation, trace or comparison; return the exit code."""
    asked = [name for name in ("explain", "trace", "without") if values[name]]
    if len(asked) > 1:
        raise click.UsageError(f"--{asked[0]} and --{asked[1]} are two questions; ask one")
    if values["trace"]:
        return _trace(session, target.name, make)
    if values["without"]:
        without = _without(session, target, make, values["without"])
        session.show(without)
        return ExitCode.PLAN if without.after is None else ExitCode.DONE
    plan = make(session.packs)
    if values["explain"]:
        session.show(_explanation(session, plan, values["explain"]))
    else:
        comparison = session.packs.lock.compare(lock_name(target, session.packs), plan)
        session.show(_listing(session, plan, target.name, comparison))
    return ExitCode.DONE


def _listing(session: Session, plan: Plan, name: str, comparison: Comparison) -> Listing:
    """Return the plan of the action that was called `name`."""

    def json() -> dict[str, object]:
        return {**plan.to_dict(), "lock": comparison.to_dict()}

    if not plan.steps:
        return Listing(json=json, title=[f"{plan.action} has no steps; it runs in one piece"])
    facts = [
        plan.action,
        plural(len(plan.steps), "step"),
        f"plan {plan.fingerprint[:8]}",
        *([str(comparison)] if comparison.exists else []),
        *(f"policy {policy.origin}" for policy in session.packs.settings.policies),
    ]
    return Listing(
        json=json,
        title=[session.console.style(" · ".join(facts), "bold")],
        head=(" #", "STEP", "SHARE", "UNDO", "FROM", "WHY HERE", ""),
        rows=(row for number, each in enumerate(plan.steps, 1) for row in _rows(number, each)),
        dims_head=True,
        foot=_foot(session, plan, name, comparison),
    )


def _rows(number: int, planned: PlannedStep) -> Iterator[tuple[str, ...]]:
    """Yield the row of a step, and the one of its layers."""
    why, *more = planned.reason.split(", ")
    yield (
        f"{number:2d}",
        planned.name,
        f"{percent(planned.weight_share):>5}",
        "yes" if planned.undoable else "-",
        str(planned.origin),
        why,
        ", ".join([*more, *_remarks(planned)]),
    )
    if planned.layers:
        stack = "(".join([layer.name for layer in planned.layers] + ["·"])
        owners = ", ".join(dict.fromkeys(str(layer.origin) for layer in planned.layers))
        order = "outermost first" if len(planned.layers) > 1 else "around it"
        places = dict.fromkeys(layer.reason for layer in planned.layers if layer.reason)
        reasons = (", ".join(places), order) if places else (order, "")
        yield ("", f"└ {stack}{')' * len(planned.layers)}", "", "", owners, *reasons)


def _remarks(planned: PlannedStep) -> list[str]:
    remarks: list[str] = []
    if planned.always_run:
        remarks.append("always runs")
    if planned.facts.required:
        remarks.append("required")
    if planned.facts.required or planned.step.final:
        remarks.append("final")
    if not planned.effects and not planned.facts.required:
        remarks.append("only reads")
    return remarks


def _foot(session: Session, plan: Plan, name: str, comparison: Comparison) -> list[str]:
    """Return the text below the plan, on one line if it fits."""
    records = session.packs.records
    off = [f"{record.id} ({record.why})" for record in records if record.status == "off"]
    parts = [f"Off: {', '.join(off)}"] if off else []
    leaving = [planned.name for planned in plan.steps if planned.facts.leaves]
    if leaving:
        parts.append(f"Not undone, also after a kill: {', '.join(leaving)}")
    if comparison.problems:
        parts.append(f"What differs: handrail lock --check {name}")
    brought = [each for each in plan.steps if each.reason != "base"]
    if brought:
        placed = (each for each in brought if each.reason.startswith(("before ", "after ")))
        inserted = next(placed, brought[0])
        parts.append(f"Why a step is here: handrail plan {name} --explain {inserted.name}")
    line = ".   ".join(parts)
    return parts if columns(line) > WIDTH else [line] if line else []


# --explain


def _explanation(session: Session, plan: Plan, name: str) -> Listing:
    """Return the explanation of the place of the step called `name`, or of its absence.

    Raises:
        NotFoundError: The plan has no such step, and no pack offers one.
    """
    from handrail.plan.explain import explain  # noqa: PLC0415 - only for this question

    try:
        found = explain(plan, name)
    except StepNotFoundError:
        return _absence(session, plan, name)

    def json() -> dict[str, object]:
        links = [_link_to_dict(session, link) for link in found.links]
        return {"action": plan.action, **found.to_dict(), "links": links}

    return Listing(
        json=json,
        title=[session.console.style(_where(plan, found), "bold")],
        head=("STEP", "WHAT WAS DONE", "BY", "WHERE"),
        rows=_link_rows(session, found),
        dims_head=True,
    )


def _where(plan: Plan, found: Explanation) -> str:
    gone = found.gone
    if found.place:
        where = f"step {found.place} of {len(plan.steps)} of {plan.action}"
    else:
        by = f" by {gone.origin}" if gone and gone.kind == "removed" else ""
        why = f": {gone.told}{by}" if gone else ""
        where = f"not in the plan of {plan.action}{why}"
    return f"{found.step} · {where} · plan {plan.fingerprint[:8]}"


def _link_rows(session: Session, found: Explanation) -> Iterator[tuple[str, ...]]:
    previous = ""
    for link in found.links:
        yield (
            "" if link.step == previous else link.step,
            link.told,
            str(link.origin),
            link.origin.place,
        )
        previous = link.step
        if link.grant:
            yield ("", f'allowed: "{link.grant}"', "[grants]", _grant_source(session, link))


def _link_to_dict(session: Session, link: Link) -> dict[str, object]:
    document = link.to_dict()
    if link.grant:
        document["grant_source"] = _grant_source(session, link)
    return document


def _grant_source(session: Session, link: Link) -> str:
    """Return where the settings have the grant that an edit used."""
    for name, grants in session.packs.settings.grants.items():
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


# --trace


def _trace(session: Session, action: str, make: Make) -> int:
    """Show the trace of the plan, even if it has problems, and return the exit code.

    Raises:
        HandrailError: Planning failed or found problems; the trace was shown before.
    """
    from handrail.plan.trace import TracedPacks  # noqa: PLC0415 - only for this question

    packs = TracedPacks(session.packs)
    error: HandrailError | None = None
    plan: Plan | None = None
    try:
        plan = make(cast("PackProvider", packs))
    except HandrailError as caught:
        error = caught

    def json() -> dict[str, object]:
        return {
            "action": action,
            "packs": [{"id": each.id, "version": each.origin.version} for each in packs.packs],
            "questions": [question.to_dict() for question in packs.questions],
            "fingerprint": None if plan is None else plan.fingerprint,
            "error": None if error is None else error.to_dict(),
        }

    session.show(Listing(json=json, title=_trace_lines(session, action, packs)))
    if error is None:
        return ExitCode.DONE
    if session.json:
        return error.exit_code
    raise error


def _trace_lines(session: Session, action: str, packs: TracedPacks) -> Iterator[str]:
    asked = packs.questions
    answered = sum(bool(question.answers) for question in asked)
    count = f"{plural(len(packs.packs), 'pack')}, {plural(len(asked), 'question')}"
    yield session.console.style(f"{action} · {count}, {answered} answered", "bold")
    for pack in packs.packs:
        yield session.console.style(str(pack.origin), "bold")
        mine = [question for question in asked if question.pack == pack.origin]
        if not mine:
            yield "  was not asked: it has no hook that shapes a plan"
        for hook in dict.fromkeys(question.hook for question in mine):
            yield from _hook_lines(hook, [each for each in mine if each.hook == hook])


def _hook_lines(hook: str, questions: list[Question]) -> Iterator[str]:
    silent = 0
    for question in questions:
        about = f" {question.step}" if question.step else ""
        if question.error:
            yield f"  {hook}{about}: raised {one_line(question.error, limit=200)}"
        elif question.answers:
            for answer in question.answers:
                yield f"  {hook}{about}: {one_line(answer, limit=200)}"
        else:
            silent += 1
    if silent and questions[0].step is None:
        nothing = "no problem" if hook == "check_plan" else "no edit"
        yield f"  {hook}: {nothing}"
    elif silent:
        others = "other step" if silent < len(questions) else "step"
        yield f"  {hook} {plural(silent, others)}: None"


# --without


@frozen
class _Without:
    """The plan of an action beside the one without some packs.

    Attributes:
        session: The call.
        target: The action.
        left_out: The packs that are left out.
        before: The plan with all packs, or None.
        refused: The problems of the plan with all packs.
        after: The plan without the packs, or None.
        problems: The problems of the plan without the packs.
    """

    session: Session
    target: Target
    left_out: Sequence[PackRecord]
    before: Plan | None
    refused: Sequence[Problem]
    after: Plan | None
    problems: Sequence[Problem]

    @property
    def needed_by(self) -> list[str]:
        """The packs that cannot do without those that are left out."""
        ids = [record.id for record in self.left_out]
        accused = [problem.origins[0] for problem in self.problems if problem.origins]
        return list(dict.fromkeys(str(origin) for origin in accused if origin.pack not in ids))

    def to_dict(self) -> dict[str, object]:
        """Return the JSON object for programs."""
        before, after = self.before, self.after
        return {
            "action": self.target.action_class.action_name,
            "without": [record.id for record in self.left_out],
            "fingerprint": None if before is None else before.fingerprint,
            "fingerprint_without": None if after is None else after.fingerprint,
            "diff": [] if before is None or after is None else before.diff(after),
            "problems": [problem.to_dict() for problem in self.problems],
            "problems_with": [problem.to_dict() for problem in self.refused],
            "needed_by": self.needed_by,
        }

    def lines(self, style: Callable[..., str]) -> Iterator[str]:
        """Yield the lines for people."""
        name = self.target.action_class.action_name
        packs = " and ".join(str(record.origin) for record in self.left_out)
        if self.after is None:
            count = plural(len(self.problems), "problem")
            yield style(f"{name} · without {packs} its plan has {count}", "bold")
            for number, problem in enumerate(self.problems, 1):
                yield from problem_lines(self.session, problem, number)
            if self.needed_by:
                yield f"needed by {', '.join(self.needed_by)}"
        elif self.before is None:
            count = plural(len(self.refused), "problem")
            yield style(f"{name} · its plan has {count}, without {packs} none", "bold")
            flags = " ".join(f"--no-pack {record.id}" for record in self.left_out)
            yield f"the plan without:  handrail plan {self.target.name} {flags}"
        else:
            differences = self.before.diff(self.after)
            steps = f"{len(self.before.steps)} to {plural(len(self.after.steps), 'step')}"
            ids = f"plan {self.before.fingerprint[:8]} to {self.after.fingerprint[:8]}"
            changes = f"{steps} · {ids}" if differences else "nothing changes"
            yield style(f"{name} · without {packs} · {changes}", "bold")
            yield from (f"  {line}" for line in differences)


def _without(session: Session, target: Target, make: Make, names: Sequence[str]) -> _Without:
    """Plan `target` with all packs and without the packs `names`.

    Raises:
        NotFoundError: No installed pack has one of these names.
        PackError: A pack that stays is broken.
    """
    left_out = [_record(session, name) for name in names]
    before, refused = _plan_or_problems(make, session.packs)
    after: Plan | None = None
    problems: Sequence[Problem]
    owner = next((record for record in left_out if record.id == target.origin.pack), None)
    if owner is not None:
        problems = [_no_action(target, owner)]
    else:
        others = installed_packs(
            start=session.folder,
            no_packs=(*session.no_packs, *(record.id for record in left_out)),
            only_packs=session.only_packs,
            pack_values=session.packs.settings.pack_values,
        )
        after, problems = _plan(make, others)
    if not session.json:
        for record in left_out:
            if record.status == "off":
                session.console.note(f"{record.origin} is off already: {record.why}")
    return _Without(
        session=session,
        target=target,
        left_out=left_out,
        before=before,
        refused=refused,
        after=after,
        problems=problems,
    )


def _plan(make: Make, packs: PackProvider) -> tuple[Plan | None, tuple[Problem, ...]]:
    try:
        return make(packs), ()
    except PlanError as error:
        return None, error.problems


def _plan_or_problems(make: Make, packs: PackProvider) -> tuple[Plan | None, tuple[Problem, ...]]:
    """Return the plan or its problems; a broken pack counts as one, as it may be left out."""
    try:
        return _plan(make, packs)
    except PackError as error:
        problem = Problem(code=error.code, message=error.message)
        return None, error.problems or (problem,)


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

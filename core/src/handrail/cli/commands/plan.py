"""`handrail plan`: shows the plan of a run, explains a step, and compares plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.amounts import plural
from handrail.cli.action_group import ActionGroup
from handrail.cli.completion import complete_packs, complete_steps
from handrail.cli.document import write_document
from handrail.cli.params.defaults import defaults_of, take_pack_values
from handrail.cli.params.options import ActionCommand, options_of
from handrail.cli.params.values import labelled, labelled_need, params_from
from handrail.cli.session import OWN_OPTIONS, json_option, session_of, warn
from handrail.cli.starting import no_collections
from handrail.cli.view.explanation import explanation, work_of
from handrail.cli.view.failure import problem_lines
from handrail.cli.view.listing import Listing
from handrail.cli.view.plan_table import plan_table
from handrail.cli.view.text import one_line
from handrail.errors import (
    ExitCode,
    HandrailError,
    NotFoundError,
    PackError,
    ParamsError,
    ParamsNeededError,
    PlanError,
    Problem,
)
from handrail.frozen import frozen
from handrail.packs.installed import installed_packs
from handrail.plan.mermaid import mermaid
from handrail.suggest import did_you_mean
from handrail.targets import lock_name

if TYPE_CHECKING:
    from handrail.cli.session import Session, json_option
    from handrail.packs.provider import PackProvider
    from handrail.packs.record import PackRecord
    from handrail.plan.plan import Plan
    from handrail.plan.trace import Question, TracedPacks
    from handrail.targets import Target

Make = Callable[["PackProvider"], "Plan"]

_QUESTIONS = ("explain", "pack", "trace", "without", "preview", "mermaid")


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
            ["--explain"],
            metavar="STEP",
            help="Show the chain of edits that put STEP there.",
            shell_complete=complete_steps,
        ),
        click.Option(
            ["--pack"],
            metavar="PACK",
            help="Show only what PACK does to the plan: its steps, layers and other edits.",
            shell_complete=complete_packs,
        ),
        click.Option(
            ["--trace"], is_flag=True, help="Show what each pack was asked, and what it answered."
        ),
        click.Option(
            ["--without"],
            multiple=True,
            metavar="PACK",
            help="Show what would change without PACK. Repeatable.",
            shell_complete=complete_packs,
        ),
        click.Option(
            ["--preview"],
            is_flag=True,
            help="Show the plan, and below it what each step would do, as a dry run finds it: "
            "steps without effects really run. It takes the params that a run takes.",
        ),
        click.Option(
            ["--all", "everything"],
            is_flag=True,
            help="With --preview: show every line of what the steps would do.",
        ),
        click.Option(
            ["--mermaid"], is_flag=True, help="Write the plan as a flowchart in Mermaid's language."
        ),
        click.Option(
            ["-o", "--output"],
            metavar="FILE",
            help="Write what --mermaid makes to FILE. [default: -, standard output]",
        ),
        json_option(),
    ]


def command_for(target: Target) -> click.Command:
    """Return the command that plans `target`."""
    shared = plan.params
    taken = {name for parameter in shared for name in parameter.opts} | OWN_OPTIONS
    action_class = target.action_class
    options = options_of(action_class.params_model, action_class.action_name, taken)

    def callback(**values: Any) -> int:
        context = click.get_current_context()
        session = session_of(context)
        _check_asked(session, values)
        warn(session, goes_on=False)
        pairs = take_pack_values(session, values["pairs"], options)
        defaults = defaults_of(session, action_class, options)
        defaults.check()
        params = params_from(
            context, options, file=values["params"], pairs=pairs, defaults=defaults.values
        )

        if values["preview"]:
            with no_collections():
                from handrail.cli.preview import show_preview  # noqa: PLC0415 - only then

            everything = values["everything"]
            return show_preview(session, target, options, params, everything=everything)

        def make(packs: PackProvider) -> Plan:
            try:
                with no_collections():  # What params and plans are made with is imported here.
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

    No target is touched, and nothing is run, but with --preview the steps that only read. ACTION is
    named as for `handrail run`. For each step, the table shows its share of the progress, whether
    it can be undone, the pack that it is from, and the reason for its place; layers around a step
    have their own lines.

    \b
    handrail plan flows.py:nightly               with the packs that are on
    handrail plan flows.py:nightly --preview     what each step would do
    handrail plan flows.py:nightly --without X   what one of them changes
    handrail plan flows.py:nightly --explain S   who put the step S where it is
    handrail plan flows.py:nightly --pack X      what one of them does
    handrail plan flows.py:nightly --trace       what each pack was asked and said
    handrail plan flows.py:nightly --mermaid     a flowchart of it; -o FILE to a file
    """  # noqa: D301 - the escape tells click to keep the lines


def _check_asked(session: Session, values: dict[str, Any]) -> None:
    """Refuse two questions at once, and options that go with another one."""
    asked = [name for name in _QUESTIONS if values[name]]
    if len(asked) > 1:
        raise click.UsageError(f"--{asked[0]} and --{asked[1]} are two questions; ask one")
    if values["mermaid"] and session.json:
        raise click.UsageError("--mermaid is no JSON, which has the same plan: leave one out")
    if values["output"] and not values["mermaid"]:
        raise click.UsageError("-o goes with --mermaid")
    if values["everything"] and not values["preview"]:
        raise click.UsageError("--all goes with --preview")


def _answer(session: Session, target: Target, make: Make, values: dict[str, Any]) -> int:
    """Show the plan, or the explanation, trace or comparison; return the exit code."""
    if values["trace"]:
        return _trace(session, target.name, make)
    if values["without"]:
        without = _without(session, target, make, values["without"])
        session.show(without)
        return ExitCode.PLAN if without.after is None else ExitCode.DONE
    plan = make(session.packs)
    if values["mermaid"]:
        write_document(session, mermaid(plan.to_dict()), values["output"] or "-")
    elif values["explain"]:
        session.show(explanation(session, plan, values["explain"]))
    elif values["pack"]:
        session.show(work_of(session, plan, _record(session, values["pack"])))
    else:
        comparison = session.packs.lock.compare(lock_name(target, session.packs), plan)
        session.show(plan_table(session, plan, target.name, comparison))
    return ExitCode.DONE


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

"""Carries out `handrail run`: from what was given on the command line to the run itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from copy import copy
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.builtin.cli.execution import Execution, carry_out, head_of
from handrail.builtin.cli.journals import WITHOUT, check_named, session_journal
from handrail.builtin.cli.options import Request
from handrail.builtin.cli.params.defaults import defaults_of, take_pack_values
from handrail.builtin.cli.params.values import labelled, params_from, variables_of
from handrail.builtin.cli.session import session_of, warn
from handrail.builtin.cli.signals import like_interrupts
from handrail.builtin.cli.starting import collect_again
from handrail.builtin.cli.view.failure import failed_action, show
from handrail.builtin.cli.view.progress import brief
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.project.differences import LastPlan, mark_of
from handrail.builtin.project.lock import outline_of
from handrail.builtin.project.targets import lock_name, recorded_name
from handrail.derived import (
    about_action,
    checked,
    orchestrator_of,
    path_of,
    require_inputs,
    result_of,
    secret_variables,
    select,
    silent_runtime,
)
from handrail.errors import (
    ContextError,
    ExitCode,
    HandrailError,
    ParamsError,
    StepNotFoundError,
    add_ways_out,
)
from handrail.frozen import frozen, replace
from handrail.inspection import run_awaitable
from handrail.params import not_kept
from handrail.recovery import Invocation

if TYPE_CHECKING:
    from handrail import BaseAction, Plan
    from handrail.builtin.cli.params.options import ParamOptions
    from handrail.builtin.cli.session import Session
    from handrail.derived import Observer, OnFailure, RunAbout
    from handrail.errors import Problem
    from handrail.journal import Journal
    from handrail.packs import Target
    from handrail.params import KeyPath

_MOST_CHANGES = 5  # Lines about the last run, before `handrail plan` is named instead.


@frozen
class RunRequest(Request):
    """What a call of `handrail run` asks for, without the params of the action.

    Attributes:
        context: The call, as click has parsed it.
        target: The action.
        options: The options of its params.
        params: A file with params.
        pairs: Params, and settings of packs, as `KEY=VALUE`.
        dry_run: Whether only steps without effects run.
        everything: Whether a dry run shows every line.
        only: The only steps to run, if there are any.
        start: The first step to run.
        skip: Steps to leave out.
        no_lock: Whether to ignore the lock.
        on_failure: Whether a failure undoes the finished steps or keeps them.
        strict_results: Whether a result that cannot be stored is an error.
        executor: The executor for items, if one is named.
        journal: The journal, if one is named.
        no_journal: Whether no record is kept.
        quiet: Whether only the result and errors are shown.
        given: The params, if an option has set some; by default, those that are given.
        derivation: How an option derives another action from this one, which is run instead.
    """

    context: click.Context
    target: Target
    options: ParamOptions
    params: str | None = None
    pairs: tuple[str, ...] = ()
    dry_run: bool = False
    everything: bool = False
    only: tuple[str, ...] = ()
    start: str | None = None
    skip: tuple[str, ...] = ()
    no_lock: bool = False
    on_failure: OnFailure = "undo"
    strict_results: bool = False
    executor: str | None = None
    journal: str | None = None
    no_journal: bool = False
    quiet: bool = False
    given: GivenParams | None = None
    derivation: Derivation | None = None

    @classmethod
    def of(cls, context: click.Context, target: Target, options: ParamOptions) -> RunRequest:
        """Return the request that click has parsed."""
        values = context.params
        return cls(
            session=session_of(context),
            values=values,
            carry_out=run_target,
            context=context,
            target=target,
            options=options,
            **{name: values[name] for name in cls.__annotations__ if name in values},
        )

    def params_given(self) -> GivenParams:
        """Return the params of the call, which are not validated yet.

        Raises:
            SettingsError: The params that the project sets are invalid.
        """
        if self.given is not None:
            return self.given
        session, options = self.session, self.options
        pairs = take_pack_values(session, self.pairs, options)
        defaults = defaults_of(session, self.target.action_class, options)
        params = params_from(
            self.context, options, file=self.params, pairs=pairs, defaults=defaults
        )
        return GivenParams(params=params, variables=variables_of(self.context, options))

    def params_typed(self) -> Mapping[str, Any]:
        """Return those of the params that were given by an option, an argument or `-p`."""
        pairs = take_pack_values(self.session, self.pairs, self.options)
        return params_from(self.context, self.options, pairs=pairs)

    def labelled(self, error: ParamsError) -> ParamsError:
        """Return an error of params with each named as on the command line."""
        return labelled(error, self.options)

    def named(self, labels: Mapping[str, str]) -> RunRequest:
        """Return the request with other names for some params in errors, by their dotted names."""
        options = copy(self.options)
        options.labels = options.labels | {path_of(name): text for name, text in labels.items()}
        return replace(self, options=options)

    def label(self, name: str) -> str:
        """Return the option or argument that sets a param, or `-p NAME`, by its dotted name."""
        return self.options.labels.get(path_of(name), f"-p {name}")


def run_target(request: RunRequest) -> int:
    """Run an action as the command line asks for it, and return the exit code."""
    session, target = request.session, request.target
    if request.everything and not request.dry_run:
        raise click.UsageError("--all goes with --dry-run")
    warn(session, goes_on=False)
    given, derivation = request.params_given(), request.derivation
    try:
        action = target.action_class(given.params, silent_runtime(), packs=session.packs)
    except ParamsError as error:
        raise request.labelled(error) from error.__cause__
    whole = checked(action, action.plan(), target=target, no_lock=request.no_lock)
    if not whole.steps and action.is_simple and derivation is None:
        _check_inputs(request, action, whole)
        return _run_simple(request, action)
    part = _chosen(request, whole)
    _check_inputs(request, action, part)
    if derivation is not None:
        derivation.check(part)
    check_named(session, request.executor, request.journal)
    if request.dry_run:
        from handrail.builtin.cli.dry_run import dry_execution  # noqa: PLC0415 - most runs are none

        if derivation is not None:
            derivation.preview()
        return carry_out(session, dry_execution(request, action, part))
    with _run_journal(request) as journal:
        last = _last_plan(request, whole)
        if journal is None:
            return _run_steps(request, action, part, observers=(last,))
        about = _about_run(request, action, part, given.variables)
        if derivation is not None:
            return _run_derived(request, action, part, derivation, journal, about)
        return _run_steps(request, action, part, journal, about, observers=(last,))


def _run_derived(
    request: RunRequest,
    action: BaseAction[Any],
    part: Plan,
    derivation: Derivation,
    journal: Journal,
    about: RunAbout,
) -> int:
    """Run the action that an option derives from the one that was named; return the exit code."""
    from handrail.builtin.derived import check_secrets  # noqa: PLC0415 - few runs are

    check_secrets(action.action_name, about.params)
    made = derivation.derive(type(action), about.packs)(action.params, silent_runtime(), packs=())
    # A part that fails has been undone, or kept; the others stay in any case.
    kept = replace(request, on_failure="keep")
    before, plan, after = head_of(part, journal).partition("plan ")
    head = f"{before}{derivation.title} · {plan}{after}"
    # The edits of packs are in the parts; they see the run as a whole.
    watching = request.session.packs.observers()
    return _run_steps(kept, made, made.plan(), journal, about, watching, head=head)


@frozen
class Derivation:
    """How an option derives an action from the one that `handrail run` was given.

    Attributes:
        option: The entry point of the option, whose `derive` does it again from the record.
        data: What that needs to know, as JSON.
        title: What the run is, for its first line, such as `4 runs of it`.
        derive: Returns the class of the derived action, from the class of the other one and what is
            recorded of the call.
        check: Checks the part of the plan that is to be run, before anything is done.
        preview: Shows, before a dry run of the other action, what would be run.
    """

    option: str
    data: Mapping[str, Any]
    title: str
    derive: Callable[[type[BaseAction[Any]], str], type[BaseAction[Any]]]
    check: Callable[[Plan], None]
    preview: Callable[[], None]


@frozen
class GivenParams:
    """The params of a call, which are not validated yet.

    Attributes:
        params: All of them.
        variables: The variables of secrets.
    """

    params: Mapping[str, Any]
    variables: Mapping[KeyPath, str]


def _chosen(request: RunRequest, whole: Plan) -> Plan:
    """Return the part of a plan that a call asks for."""
    if not (request.only or request.skip) and request.start is None:
        return whole
    try:
        return select(whole, only=request.only, start=request.start, skip=request.skip)
    except StepNotFoundError as error:
        raise click.UsageError(error.message) from error


def _last_plan(request: RunRequest, whole: Plan) -> LastPlan:
    """Return the last plan of an action; list what has changed since on standard error."""
    session, target = request.session, request.target
    name, project = lock_name(target, session.packs), session.settings.project.folder
    last = LastPlan(project, outline_of(session.packs, name, whole, with_files=False))
    if not whole.locked and not request.quiet:
        _note_changes(session, name.shown, last.changes(session.packs.off))
    return last


def _check_inputs(request: RunRequest, action: BaseAction[Any], plan: Plan) -> None:
    """Check the inputs of a run of `plan`; see `require_inputs`."""
    try:
        require_inputs(action, plan)
    except ParamsError as error:
        raise request.labelled(error) from error.__cause__


@contextmanager
def _run_journal(request: RunRequest) -> Generator[Journal | None]:
    """Open the journal of a run within the block, unless it is to have none."""
    if not request.no_journal:
        with closing(session_journal(request.session, request.journal, create=True)) as journal:
            yield journal
        return
    if request.journal:
        raise click.UsageError("--journal and --no-journal exclude each other")
    if request.on_failure == "keep":
        raise click.UsageError("--on-failure keep needs a journal to resume from")
    yield None


def _note_changes(session: Session, action: str, changes: Sequence[Problem]) -> None:
    """Write the changes since the last run to standard error."""
    if not changes:
        return
    session.console.note(f"changed since the last run of {action}:")
    for change in changes[:_MOST_CHANGES]:
        session.console.note(f"  {mark_of(change)} {change.message}")
    if len(changes) > _MOST_CHANGES:
        more = len(changes) - _MOST_CHANGES
        session.console.note(f"  and {more} more:  handrail plan {action}")


def _about_run(
    request: RunRequest, action: BaseAction[Any], plan: Plan, variables: Mapping[KeyPath, str]
) -> RunAbout:
    """Return the data for the journal; list params that cannot be stored on standard error."""
    session, derived = request.session, request.derivation
    settings = session.settings
    invocation = Invocation.of(
        settings.selection,
        settings.pack_values,
        only=request.only,
        start=request.start,
        skip=request.skip,
        no_lock=request.no_lock,
        secrets=secret_variables(plan, session.packs),
        executor=request.executor or session.packs.executor,
        derived_by=None if derived is None else derived.option,
        derivation=None if derived is None else derived.data,
    )
    about = about_action(
        action,
        recorded_as=recorded_name(request.target),
        packs=invocation.to_json(),
        variables=variables,
    )
    if not session.json and not request.quiet:
        for name, variable in not_kept(about.params):
            session.console.note(
                f"the password in {name} is not kept; {variable} has to hold {name} to resume or "
                "undo this run later"
            )
    return about


def _run_steps(
    request: RunRequest,
    action: BaseAction[Any],
    part: Plan,
    journal: Journal | None = None,
    about: RunAbout | None = None,
    observers: Sequence[Observer] = (),
    *,
    head: str = "",
) -> int:
    """Run a plan that was checked against the lock, and return the exit code."""
    session = request.session

    def run(views: Sequence[Observer]) -> Mapping[str, Any]:
        orchestrator = orchestrator_of(
            action,
            part,
            observers=(*views, *observers),  # The first line waits for nobody.
            journal=journal,
            on_failure="undo" if journal is None else request.on_failure,
            strict_results=request.strict_results or session.packs.strict_results,
            about=about,
            executor=request.executor,
        )
        try:
            counts = orchestrator.execute()
        except ContextError as error:
            if journal is not None and orchestrator.run_number is None:
                add_ways_out(error, WITHOUT)
            raise
        return result_of(action, counts, orchestrator.context)

    execution = Execution(
        plan=part,
        head=head or head_of(part, journal),
        run=run,
        journal=journal,
        quiet=request.quiet,
        keeps=request.on_failure == "keep",
    )
    return carry_out(session, execution)


def _run_simple(request: RunRequest, action: BaseAction[Any]) -> int:
    """Run an action that has no steps, and return the exit code."""
    session, name = request.session, action.info.name
    if request.on_failure == "keep":
        raise click.UsageError(f"{name} has no steps, so nothing can be kept")
    if request.only or request.start or request.skip:
        raise click.UsageError(f"{name} has no steps to choose from")
    if request.dry_run:
        session.console.print(f"{name} · no steps · not previewed")
        return ExitCode.DONE
    collect_again()
    try:
        with like_interrupts():
            # `run` would check the plan against the lock again.
            answer: Any = action.execute()
            answer = run_awaitable(answer) if isawaitable(answer) else answer
    except HandrailError:
        raise
    except SystemExit as error:
        if error.code not in (None, 0):
            return show(session, failed_action(session, name, error))
        answer = None
    except Exception as error:  # noqa: BLE001 - the action's own code
        return show(session, failed_action(session, name, error))
    session.show(
        Listing(json=lambda: {"event": "Result", "result": answer}, title=_answer_lines(answer))
    )
    return ExitCode.DONE


def _answer_lines(answer: object) -> list[str]:
    if isinstance(answer, Mapping):
        return [brief(cast("Mapping[str, Any]", answer))]
    return [] if answer is None else [str(answer)]

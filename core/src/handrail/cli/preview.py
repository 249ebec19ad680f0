"""The preview of a plan: its table, and what each step would do, as a dry run finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from handrail.cli.execution import Execution, failure_of, would_run
from handrail.cli.new_run import RunRequest, check_inputs, dry_execution, locked, made
from handrail.cli.params.values import labelled
from handrail.cli.signals import like_interrupts
from handrail.cli.starting import few_collections, no_collections
from handrail.cli.view.console import moves
from handrail.cli.view.dry_run import DryRunListing
from handrail.cli.view.failure import show as show_failure
from handrail.cli.view.listing import Listing
from handrail.cli.view.plan_table import plan_table
from handrail.cli.view.progress import MovingView, Outcome
from handrail.errors import ExitCode, HandrailError, ParamsError, StepFailedError
from handrail.targets import lock_name

if TYPE_CHECKING:
    from handrail.cli.params.options import ParamOptions
    from handrail.cli.session import Session
    from handrail.targets import Target

Show = Callable[..., None]
"""Takes the lines below the table, and as JSON the error that ended the dry run, if one did."""


def show_preview(
    session: Session,
    target: Target,
    options: ParamOptions,
    params: Mapping[str, Any],
    *,
    everything: bool,
) -> int:
    """Show the plan of an action, and below it what each step would do; return the exit code.

    Args:
        session: The call.
        target: The action.
        options: The options of its params.
        params: Its params, which are not validated yet.
        everything: Whether every line of a step is shown.

    Raises:
        HandrailError: What would stop a run before its first step. As JSON it is part of the
            document, if there is a plan.
    """
    with no_collections():  # What params and plans are made with is imported here.
        try:
            action = made(session, target, params)
        except ParamsError as error:
            raise labelled(error, options) from error.__cause__
        plan = action.plan()
    comparison = session.packs.lock.compare(lock_name(target, session.packs), plan)
    table = plan_table(session, plan, target.name, comparison)
    # One document has them all.
    listing = DryRunListing(everything=everything or session.json, results=True)

    def show(lines: Iterable[str], error: Mapping[str, Any] | None = None) -> None:
        def json() -> dict[str, object]:
            return {**table.to_dict(), "preview": listing.to_list(), "error": error}

        session.show(Listing(json=json, title=lines))

    if not session.json:
        session.show(table)
    request = RunRequest(dry_run=True, everything=everything)
    try:
        part = locked(session, target, plan, request)
        check_inputs(action, part, options)
        if not part.steps and action.is_simple:
            show([f"{part.action} is not previewed"])
            return ExitCode.DONE
        return _carry_out(
            session, dry_execution(session, action, part, request, listing), listing, show
        )
    except HandrailError as error:
        if not session.json:
            raise
        show((), error.to_dict())
        return error.exit_code


def _carry_out(session: Session, execution: Execution, listing: DryRunListing, show: Show) -> int:
    outcome = Outcome()
    console = session.console
    moving = moves(console.err) and not (session.json and moves(console.out))
    view = MovingView(
        console, execution.head, moving=moving, groups=execution.plan.groups, dry=True
    )
    try:
        with few_collections(), like_interrupts(), closing(view):
            result = execution.run((outcome, listing, view))
    except (StepFailedError, KeyboardInterrupt, SystemExit) as error:
        failure = failure_of(session, execution, outcome, error)
        show(listing.lines(), failure.document)
        return failure.exit_code if session.json else show_failure(session, failure)
    show(chain(listing.lines(), [would_run(execution.plan, result)]))
    return ExitCode.DONE

"""`handrail new pack`: creates a small complete pack."""

from __future__ import annotations

import shlex
from difflib import get_close_matches
from pathlib import Path

import click

from handrail.cli import Listing, Session, session_of, takes_json
from handrail.errors import HandrailError
from handrail.suggest import did_you_mean
from handrail_testing.harness import plan_action
from handrail_testing.scaffold import NewPack, new_pack, write


@click.command()
@click.argument("name")
@click.option("--action", metavar="ACTION", help="The action it shapes.  [default: upload]")
@click.option("--before", metavar="STEP", help="Stand before this step.  [default: upload_files]")
@click.option("--after", metavar="STEP", help="Stand after this step.")
@click.option("--step", metavar="NAME", help="Name of its step.  [default: note_...]")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="The folder to create it in.  [default: .]",
)
@click.option("--full", is_flag=True, help="Also a noxfile, a changelog and a workflow for CI.")
@takes_json
@click.pass_context
def pack(
    ctx: click.Context,
    name: str,
    action: str | None,
    before: str | None,
    after: str | None,
    step: str | None,
    into: Path,
    full: bool,
) -> None:
    """Create a small complete pack that installs, type-checks and passes its own tests.

    NAME is that of the distribution; a single word gets `handrail-` in front of it. The pack has
    one step with its undo, one hook that puts it into a workflow, and tests of both. Existing files
    are never overwritten. Where the action is installed, it has to have the step.

    \b
    handrail new pack webp                                   handrail-webp, for the action upload
    handrail new pack acme-scan --action train --before fit  another name, another place
    """  # noqa: D301 - the escape tells click to keep the lines
    session = session_of(ctx)
    try:
        made = new_pack(name, step=step, action=action, before=before, after=after)
        unchecked = _unchecked(session, made)
        folder = into / made.distribution
        files = made.files(full=full)
        write(files, folder)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    session.show(_listing(made, folder, sorted(files), unchecked))


def _unchecked(session: Session, made: NewPack) -> str:
    """Return why it was not checked that its step has a place, or an empty text.

    Raises:
        ValueError: It has none: the installed action has no such step, or the name of the action
            is nearly that of an installed one.
    """
    names = [e.name for record, e in session.packs.catalog.offers("actions") if record.is_used]
    if made.action not in names:
        for match in get_close_matches(made.action, names, n=1, cutoff=0.8):
            raise ValueError(f"no action is called '{made.action}'; did you mean {match}?")
        return f"the action {made.action} is not installed here"
    if made.anchor is None:
        return ""
    try:
        plan = plan_action(made.action, packs=session.packs)
    except HandrailError as error:
        return error.message
    if made.anchor not in plan.positions:
        steps = [planned.name for planned in plan]
        hint = did_you_mean(made.anchor, steps) or f"its steps are: {', '.join(steps)}"
        raise ValueError(f"{made.action} has no step '{made.anchor}'; {hint}")
    return ""


def _listing(made: NewPack, folder: Path, files: list[str], unchecked: str) -> Listing:
    following = [
        f"cd {shlex.quote(str(folder))}",
        "pip install -e . handrail-testing",
        "python -m pytest",
        f"handrail check {made.distribution}",
    ]
    place = f"{made.side} {made.anchor}" if made.anchor else "at its end"
    return Listing(
        json=lambda: {
            "name": made.distribution,
            "package": made.package,
            "step": made.step,
            "folder": str(folder),
            "files": files,
            "unchecked": unchecked or None,
            "next": following,
        },
        title=[
            f"{made.distribution} · {len(files)} files in {folder}",
            *(f"  {file}" for file in files),
            f"the step {made.step} stands in {made.action}, {place}",
            *([f"  not checked: {unchecked}"] if unchecked else []),
            "next",
            *(f"  {line}" for line in following),
        ],
    )

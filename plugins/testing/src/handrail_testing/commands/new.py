"""`handrail new pack`: creates a small complete pack."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from handrail.cli import Listing, session_of, takes_json
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
    are never overwritten.

    \b
    handrail new pack webp                                   handrail-webp, for the action upload
    handrail new pack acme-scan --action train --before fit  another name, another place
    """  # noqa: D301 - the escape tells click to keep the lines
    try:
        made = new_pack(name, step=step, action=action, before=before, after=after)
        folder = into / made.distribution
        files = made.files(full=full)
        write(files, folder)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    session_of(ctx).show(_listing(made, folder, sorted(files)))


def _listing(made: NewPack, folder: Path, files: list[str]) -> Listing:
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
            "next": following,
        },
        title=[
            f"{made.distribution} · {len(files)} files in {folder}",
            *(f"  {file}" for file in files),
            f"the step {made.step} stands in {made.action}, {place}",
            "next",
            *(f"  {line}" for line in following),
        ],
    )

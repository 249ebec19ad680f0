"""`handrail new`: creates a first workflow, or a pack."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import click

from handrail.builtin.cli.command_group import Commands
from handrail.builtin.cli.session import session_of, takes_json
from handrail.builtin.cli.view.table import Listing


@click.command(cls=Commands, place="new")
def new() -> None:
    """Start a workflow or a pack of your own.

    Existing files are never overwritten.
    """


@click.command()
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="The folder to write to.  [default: .]",
)
@takes_json
@click.pass_context
def flow(ctx: click.Context, into: Path) -> None:
    """Write a first workflow, flows.py, and a test of it.

    The workflow hello has one step, which writes a file, and a rollback that removes it again.

    \b
    handrail run flows.py:hello    run it as it is
    """  # noqa: D301 - the escape tells click to keep the lines
    files = {name: _template(name) for name in ("flows.py", "test_flows.py")}
    _write(files, into)
    following = [
        *([f"cd {shlex.quote(str(into))}"] if into != Path() else []),
        "handrail run flows.py:hello",
        "handrail rollback",
        "pip install pytest",
        "python -m pytest",
    ]
    listing = Listing(
        json=lambda: {
            "action": "flows.py:hello",
            "folder": str(into),
            "files": sorted(files),
            "next": following,
        },
        title=[
            "flows.py       the workflow hello: a step and its rollback",
            "test_flows.py  a test of both",
            "next",
            *(f"  {line}" for line in following),
        ],
    )
    session_of(ctx).show(listing)


def _template(name: str) -> str:
    file = resources.files("handrail.builtin.cli.commands") / "templates" / f"{name}.txt"
    return file.read_text(encoding="utf-8")


def _write(files: Mapping[str, str], folder: Path) -> None:
    """Write new files, all or none."""
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                made.append(folder / name)
                file.write(text)
    except OSError as error:
        for each in made:
            each.unlink()
        if isinstance(error, FileExistsError):
            what = f"{error.filename} is there already, and nothing is overwritten"
        else:
            what = f"{error.filename} cannot be written: {error.strerror}"
        raise click.UsageError(what) from error

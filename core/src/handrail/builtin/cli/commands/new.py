"""`handrail new`: creates a first workflow, or a pack."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import click

from handrail.builtin.cli.app import absent, offered, pack_command
from handrail.builtin.cli.session import session_of, takes_json
from handrail.builtin.cli.view.listing import Listing
from handrail.errors import NotFoundError
from handrail.suggest import did_you_mean


class New(click.Group):
    """The commands of the core that begin something, then those of packs, by name only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(dict.fromkeys((*self.commands, *offered(ctx, "new"))))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of this group, or import that of a pack.

        Raises:
            NotFoundError: No command has that name, or its distribution is not installed.
            PackError: Its pack is broken.
        """
        found = self.commands.get(cmd_name) or pack_command(ctx, cmd_name, "new")
        if found is None:
            hint = did_you_mean(cmd_name, (*self.list_commands(ctx), *absent(ctx, "new")))
            raise NotFoundError(
                f"there is no command 'new {cmd_name}'",
                ways_out=(hint or "handrail new --help lists them",),
            )
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of this group, then those of packs, which are not imported."""
        own = {name: each.get_short_help_str(100) for name, each in self.commands.items()}
        packs = {name: f"from {owner}" for name, owner in offered(ctx, "new").items()}
        packs |= {name: f"pip install {each}" for name, each in absent(ctx, "new").items()}
        others = [(name, text) for name, text in packs.items() if name not in own]
        for title, rows in (("Commands", list(own.items())), ("Commands from packs", others)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


@click.command(cls=New)
def new() -> None:
    """Start a workflow or a pack of your own.

    Existing files are never overwritten.
    """


@new.command()
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

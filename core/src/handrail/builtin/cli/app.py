"""The `handrail` command: its subcommands are found without being imported."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

import handrail
from handrail.builtin.cli.completion import complete_packs
from handrail.builtin.cli.help import visible_help
from handrail.builtin.cli.session import (
    GLOBAL_OPTIONS,
    PACK_FLAGS,
    Session,
    scan_globals,
    session_of,
)
from handrail.builtin.cli.starting import collect_again
from handrail.builtin.cli.view.console import terminal_columns
from handrail.errors import ExitCode, HandrailError, NotFoundError
from handrail.packs.ours import COMMANDS as OTHERS
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail.packs import EntryPoint, PackRecord
    from handrail.workflow import Workflow

# Each is a function in a module of its own name: enough for `--help` to import none of them.
COMMANDS = {
    "actions": "List the actions that can be run.",
    "config": "Show every setting and where it came from.",
    "doctor": "Check this installation and this project.",
    "lock": "Lock plans, so that actions only run as they are now.",
    "new": "Start a workflow or a pack of your own.",
    "packs": "List the installed packs, and why each is on or off.",
    "plan": "Show what a run would do, and who put each step there.",
    "resume": "Finish a run that was interrupted, or kept after a failure.",
    "rollback": "Undo a run, whatever state it is in.",
    "run": "Run an action.",
    "runs": "List the recorded runs.",
    "show": "Show how a run went, and what can be done about it.",
    "steps": "List the steps that packs offer.",
}

OPEN = ("new",)
"""The groups of commands that packs may add to: `new.pack` is the command `pack` in `new`."""

MOST_COLUMNS = 100
CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": MOST_COLUMNS,
    "auto_envvar_prefix": None,
}


class Root(click.Group):
    """Built-in commands first, then those of packs, by name only."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; for completion, without the flags that are valid anywhere."""
        if ctx.resilient_parsing:
            args = (
                [] if args[-1:] and args[-1] in PACK_FLAGS else scan_globals(session_of(ctx), args)
            )
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(dict.fromkeys((*COMMANDS, *offered(ctx))))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the called command, and no other one."""
        if cmd_name in COMMANDS:
            module = import_module(f"handrail.builtin.cli.commands.{cmd_name}")
            command: click.Command = getattr(module, cmd_name)
            return command
        return pack_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            raise self._unknown(ctx, name)
        return name, command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, the global options and the packs' commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        others = [
            (name, f"from {owner}") for name, owner in offered(ctx).items() if name not in COMMANDS
        ]
        if others:
            with formatter.section("Commands from packs"):
                formatter.write_dl(others)
        with formatter.section("Options anywhere on the command line"):
            formatter.write_dl(list(GLOBAL_OPTIONS))

    def _unknown(self, ctx: click.Context, name: str) -> HandrailError:
        catalog = session_of(ctx).packs.catalog
        hints = [did_you_mean(name, [*self.list_commands(ctx), *absent(ctx)])]
        if any(each.name == name for record in catalog.records for each in record.actions):
            words = session_of(ctx).words
            hints = [f"'{name}' is an action:  handrail run {shlex.join(words)}"]
        return NotFoundError(f"there is no command '{name}'", ways_out=hints)


def offered(ctx: click.Context, group: str = "") -> dict[str, str]:
    """Return the commands that packs bring to a group, each with the pack that it is from."""
    return {
        name: str(record.origin)
        for record, entry in _entry_points(ctx)
        for place, name in (_placed(entry.name),)
        if record.is_used and place == group
    }


def absent(ctx: click.Context, group: str = "") -> dict[str, str]:
    """Return the commands of ours that no pack brings to a group, each with its distribution."""
    known = {entry.name for _, entry in _entry_points(ctx)}
    return {
        name: distribution
        for entry, distribution in OTHERS.items()
        for place, name in (_placed(entry),)
        if entry not in known and place == group
    }


def pack_command(ctx: click.Context, name: str, group: str = "") -> click.Command | None:
    """Import and return the command that a pack brings to a group, if any does.

    Args:
        ctx: The context of the group.
        name: Its name there, or `pack:name`.
        group: The group; the top level unless given.

    Raises:
        NotFoundError: The pack is off, its entry point is not a click command, or the command is
            one of ours whose distribution is not installed.
        AmbiguousNameError: Several packs bring it.
        PackError: Its pack is broken, or it cannot be imported.
    """
    catalog = session_of(ctx).packs.catalog
    pack, colon, bare = name.rpartition(":")
    entry = f"{group}.{bare}" if group else bare
    if all(each.name != entry for _, each in _entry_points(ctx)) or _placed(entry)[0] != group:
        if distribution := absent(ctx, group).get(name):
            words = " ".join(filter(None, ("handrail", group, name)))
            way_out = f"pip install {distribution}"
            raise NotFoundError(f"`{words}` comes with {distribution}:  {way_out}")
        return None
    found = catalog.load("commands", pack + colon + entry)
    if isinstance(found, click.Command):
        collect_again()  # It may be a server.
        return found
    record, _ = catalog.find("commands", pack + colon + entry)
    raise NotFoundError(f"the command {name} of {record.origin} is {found!r}, not a click command")


def as_typed(entry: str) -> str:
    """Return the command of an entry point as a user types it: `new pack` for `new.pack`."""
    return " ".join(filter(None, _placed(entry)))


def _entry_points(ctx: click.Context) -> list[tuple[PackRecord, EntryPoint]]:
    """Return the commands of all packs; none where the packs cannot be looked at."""
    try:
        return session_of(ctx).packs.catalog.offers("commands")
    except HandrailError:
        return []


def _placed(entry: str) -> tuple[str, str]:
    """Return the group that an entry point is for, and the name of its command there."""
    group, _, name = entry.partition(".")
    return (group, name) if group in OPEN and name else ("", entry)


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        session_of(ctx).console.print(f"handrail {handrail.__version__}")
        ctx.exit()


@click.command(cls=Root, context_settings=CONTEXT, invoke_without_command=True)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
@click.option("--no-pack", expose_value=False, hidden=True, shell_complete=complete_packs)
@click.option("--only-packs", expose_value=False, hidden=True, shell_complete=complete_packs)
@click.pass_context
def root(ctx: click.Context) -> None:
    """Run workflows of steps that can be walked back.

    \b
    handrail run flows.py:nightly     run an action of your own
    handrail plan ACTION              see its steps, and who put each there
    handrail packs                    see what is installed, and why it is on

    Results go to standard output, progress and errors to standard error.

    \b
    Exit codes:
      0    done
      1    failed and undone
      2    usage or params; nothing was run
      3    plan invalid or step refused
      4    pack broken
      5    undo incomplete
      6    failed and kept
      7    journal damaged or not writable
      130  interrupted
    """  # noqa: D301 - the escape tells click to keep the lines
    if ctx.invoked_subcommand is None:
        _print_help(session_of(ctx), ctx.get_help())


_NO_COMMAND: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


def run_command_line(arguments: Sequence[str] | None = None) -> int:
    """Run the `handrail` command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with visible_help():
        return _guarded(root, given, "handrail")


def run_program(workflow: Workflow, arguments: Sequence[str]) -> int:
    """Run a workflow with the options of `handrail run`, as a program of its own."""
    from handrail.builtin.cli.commands.run import command_for_workflow  # noqa: PLC0415 - only runs need it

    program = os.path.basename(sys.argv[0]) or workflow.name
    with visible_help():
        return _guarded(command_for_workflow(workflow), list(arguments), program)


def _guarded(command: click.Command, arguments: list[str], program: str) -> int:
    session = Session()
    console = session.console
    try:
        words = scan_globals(session, arguments)
        session.events = session.events or command is not root
        code = _run(session, command, words, program)
    except (click.ClickException, KeyboardInterrupt) as error:
        code = _report(session, error)
    console.flush()
    if console.lost is not None:
        console.note(f"error: standard output could not be written: {console.lost}")
        if session.json or not session.works:
            code = code or ExitCode.JOURNAL
    console.leave()
    return code


def _run(session: Session, command: click.Command, words: list[str], program: str) -> int:
    try:
        answer = command.main(
            words,
            prog_name=program,
            standalone_mode=False,
            obj=session,
            terminal_width=_width(),
        )
        return answer if isinstance(answer, int) else ExitCode.DONE
    except _NO_COMMAND as error:
        # Like an empty command line, a request for help. Older versions of click print it
        # themselves.
        _print_help(session, error.message)
        return ExitCode.DONE
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - every error is reported
        return _report(session, error)


def _print_help(session: Session, text: str) -> None:
    for line in text.split("\n"):
        session.console.print(line)


def _report(session: Session, error: BaseException) -> int:
    """Show the error that stopped the command, and return the exit code."""
    if "_HANDRAIL_COMPLETE" in os.environ:
        return ExitCode.FAILED  # It would be shown within the line that is completed.
    from handrail.builtin.cli.view import failure  # noqa: PLC0415 - most calls have no error

    if isinstance(error, click.ClickException):
        return failure.report_usage(session, error)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return failure.report_interrupt(session)
    return failure.report(session, error)


def _width() -> int:
    """Return the width of help texts."""
    return max(min(terminal_columns(sys.__stdout__), MOST_COLUMNS) - 2, 50)

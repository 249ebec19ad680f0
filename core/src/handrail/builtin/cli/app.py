"""The `handrail` command: its subcommands are found without being imported; and its help."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

import handrail
from handrail.builtin.cli.command_group import Commands
from handrail.builtin.cli.completion import complete_packs
from handrail.builtin.cli.session import (
    GLOBAL_OPTIONS,
    PACK_FLAGS,
    Session,
    scan_globals,
    session_of,
)
from handrail.builtin.cli.view.console import terminal_columns
from handrail.builtin.cli.view.text import wrapped
from handrail.errors import ExitCode
from handrail.redact import shown_text

if TYPE_CHECKING:
    from handrail import Workflow

MOST_COLUMNS = 100


class Root(Commands):
    """The commands of the top level, and the options that are valid anywhere."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; for completion, without the flags that are valid anywhere."""
        if ctx.resilient_parsing:
            args = (
                [] if args[-1:] and args[-1] in PACK_FLAGS else scan_globals(session_of(ctx), args)
            )
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, the packs' commands and the global options."""
        super().format_commands(ctx, formatter)
        with formatter.section("Options anywhere on the command line"):
            formatter.write_dl(list(GLOBAL_OPTIONS))


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        session_of(ctx).console.print(f"handrail {handrail.__version__}")
        ctx.exit()


@click.command(cls=Root, invoke_without_command=True)
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
        return _guarded(lambda _session: root, given, "handrail")


def run_program(workflow: Workflow, arguments: Sequence[str]) -> int:
    """Run a workflow with the options of `handrail run`, as a program of its own."""
    from handrail.builtin.cli.commands.run import program_of  # noqa: PLC0415 - only runs need it

    def made(session: Session) -> click.Command:
        session.events = True
        return program_of(workflow, session)

    program = os.path.basename(sys.argv[0]) or workflow.name
    with visible_help():
        return _guarded(made, list(arguments), program)


def _guarded(
    command_in: Callable[[Session], click.Command], arguments: list[str], program: str
) -> int:
    session = Session()
    console = session.console
    try:
        words = scan_globals(session, arguments)
        code = _run(session, command_in, words, program)
    except (click.ClickException, KeyboardInterrupt) as error:
        code = _report(session, error)
    console.flush()
    if console.lost is not None:
        console.note(f"error: standard output could not be written: {console.lost}")
        if session.json or not session.works:
            code = code or ExitCode.JOURNAL
    console.leave()
    return code


def _run(
    session: Session,
    command_in: Callable[[Session], click.Command],
    words: list[str],
    program: str,
) -> int:
    try:
        answer = command_in(session).main(
            words,
            prog_name=program,
            standalone_mode=False,
            obj=session,
            terminal_width=_width(),
            help_option_names=["-h", "--help"],
            max_content_width=MOST_COLUMNS,
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


class HelpText(click.HelpFormatter):
    """Spells out what could control a terminal, as in the name of a workflow; hides passwords.

    Lines that click keeps as they are, such as tables in a docstring, are broken where they are
    wider than the others may be.
    """

    def write(self, string: str) -> None:
        """Write a text with ends of lines of our own."""
        super().write("\n".join(map(self._fitting, shown_text(string).split("\n"))))

    def _fitting(self, line: str) -> str:
        if len(line) <= self.width:
            return line
        begin = len(line) - len(line.lstrip())
        name, gap, text = line[begin:].partition("  ")
        beside = len(line) - len(text.lstrip())
        if not gap:
            return "\n".join(wrapped(line, self.width, indent=" " * begin))
        if beside <= self.width // 2:  # The text stays in its column.
            return "\n".join(wrapped(line, self.width, indent=" " * beside))
        below = " " * (begin + 4)
        return "\n".join(
            [line[:begin] + name, *wrapped(below + text.lstrip(), self.width, indent=below)]
        )

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line with the usage."""
        super().write_usage(_on_one_line(prog), _on_one_line(args), prefix)

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        super().write_heading(_on_one_line(heading))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write names, and a text about each beside them."""
        super().write_dl([(_on_one_line(name), text) for name, text in rows], col_max, col_spacing)


def _on_one_line(text: str) -> str:
    return text.replace("\n", "\\n")


@contextmanager
def visible_help() -> Generator[None]:
    """Make the help of every command, also those of packs, a `HelpText` meanwhile."""
    before = click.Context.formatter_class
    click.Context.formatter_class = HelpText
    try:
        yield
    finally:
        click.Context.formatter_class = before

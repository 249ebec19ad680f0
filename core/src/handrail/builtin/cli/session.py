"""The state that the commands of one call share: global flags, installed packs and output."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handrail.builtin.cli.view.console import Console
from handrail.builtin.cli.view.text import folded
from handrail.builtin.project.settings import settings_of
from handrail.errors import NotFoundError

if TYPE_CHECKING:
    from handrail.builtin.cli.options import Option
    from handrail.builtin.cli.view.table import View
    from handrail.builtin.project.settings import Settings
    from handrail.errors import HandrailError
    from handrail.packs import InstalledPacks, Selection

GLOBAL_OPTIONS = (
    ("--no-pack NAME", "Leave a pack out of this call, before it is imported. Repeatable."),
    ("--only-packs A,B", "Leave out every pack but these; an empty list leaves out all."),
    ("--debug", "Show the traceback of an error."),
)

PROGRESS = "HANDRAIL_PROGRESS"
PACK_FLAGS = ("--no-pack", "--only-packs")

OWN_OPTIONS = frozenset({*PACK_FLAGS, "--debug", "--help", "-h"})
"""Options that no param can have, because they mean something anywhere on the command line."""


class Session:
    """The global flags of a call, and the values derived from them.

    Attributes:
        words: The arguments of the call, without the global flags.
        no_packs: Packs turned off by a flag.
        only_packs: The only packs that are on, or None for no such limit.
        debug: Whether errors show their traceback.
        json: Whether to print JSON.
        events: Whether to print it as one event per line, like `run`.
        progress: How the progress of a run is shown: `auto`, `bar`, `plain`, `json` or `off`.
        works: Whether what the command does counts, and not what it writes, unless that is JSON.
        console: The output.
        recorded: The selection of packs of the run that is recovered.
        options: What packs add to commands, by command and entry point; see `options_of`.
    """

    def __init__(self) -> None:
        self.words: tuple[str, ...] = ()
        self.no_packs: tuple[str, ...] = ()
        self.only_packs: tuple[str, ...] | None = None
        self.debug = False
        self.json = False
        self.events = False
        self.progress = "auto"
        self.works = False
        self.console = Console()
        self.recorded: Selection | None = None
        self.options: dict[str, dict[str, Option | HandrailError]] = {}

    @cached_property
    def packs(self) -> InstalledPacks:
        """The packs that are installed, under the settings and flags of this call.

        Broken settings do not raise here, so that listing works; `settings_problems` has them.
        """
        return self._installed()

    @property
    def settings(self) -> Settings:
        """The settings of the project, under the policies."""
        return settings_of(self.packs)

    def set_pack_values(self, values: Sequence[tuple[str, str, str]]) -> None:
        """Take settings of packs that the command line has, as pack, dotted key and text."""
        self.packs = self._installed(values)

    def _installed(self, values: Sequence[tuple[str, str, str]] = ()) -> InstalledPacks:
        from handrail.packs import installed_packs  # noqa: PLC0415 - not for --version

        return installed_packs(
            start=self.where,
            no_packs=self.no_packs,
            only_packs=self.only_packs,
            pack_values=values,
            recorded=self.recorded,
        )

    def move(self, recorded: Selection, values: Sequence[tuple[str, str, str]]) -> None:
        """Find the packs again, in the current working folder and with the selection of a run.

        Flags of this call are added to it; variables that select packs are ignored.
        """
        self.__dict__.pop("where", None)
        self.recorded = recorded
        self.set_pack_values(values)

    def show(self, view: View) -> None:
        """Write a result as JSON if requested, otherwise as text."""
        if not self.json:
            for line in view.lines(self.console.style):
                for each in folded(line):
                    self.console.print(each)
        elif self.events:
            self.console.json_line(view.to_dict())
        else:
            self.console.json(view.to_dict())

    @property
    def folder(self) -> Path:
        """The working folder.

        Raises:
            NotFoundError: The working folder was deleted.
        """
        return Path(self.where)

    @cached_property
    def where(self) -> str:
        """Path of the working folder.

        Raises:
            NotFoundError: The working folder was deleted.
        """
        try:
            return os.getcwd()
        except FileNotFoundError:
            ways_out = ("cd to a folder that exists",)
            raise NotFoundError("the working folder is gone", ways_out=ways_out) from None


def _keep_json_alone(context: click.Context, _parameter: click.Parameter, _value: bool) -> None:
    """Let what actions, steps and packs print go to standard error: programs read the other."""
    session = session_of(context)
    if session.json and not context.resilient_parsing:
        context.with_resource(redirect_stdout(session.console.err))


def json_option(text: str = "Write JSON.") -> click.Option:
    """Return the option for JSON. `Session.json` has it already: errors need it before click."""
    return click.Option(
        ["--json"], is_flag=True, expose_value=False, callback=_keep_json_alone, help=text
    )


takes_json = click.option(
    "--json", is_flag=True, expose_value=False, callback=_keep_json_alone, help="Write JSON."
)
"""Declares `--json` for a command, as `json_option` does."""


def event_options() -> list[click.Parameter]:
    """Return the options for the output of commands that run or undo steps."""
    return [
        json_option("Write one event per line to standard output."),
        click.Option(
            ["--progress"],
            type=click.Choice(["auto", "bar", "plain", "json", "off"]),
            default="auto",
            envvar=PROGRESS,
            expose_value=False,
            callback=_take_progress,
            metavar="KIND",
            help="How to show the progress on standard error: bar, plain (lines with the time), "
            "json (one object a line) or off. Without it: bar on a terminal, plain elsewhere. "
            f"{PROGRESS} sets it for every call.",
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Show only the result, and errors."),
    ]


def _take_progress(context: click.Context, _parameter: click.Parameter, value: str) -> None:
    session = session_of(context)
    session.progress = value
    session.console.structured = value == "json"


def warn(session: Session, *, goes_on: bool = True) -> None:
    """Write a warning for each setting that names nothing, without stopping.

    A command that continues despite problems of a plan also shows those.
    """
    found = session.packs
    stopping = (*found.settings_problems, *found.unmet) if goes_on else ()
    told = (*stopping, *found.warnings)
    if not told:
        return
    label = session.console.style("warning:", "yellow", err=True)
    for problem in told:
        hint = f" ({problem.ways_out[0]})" if problem.ways_out else ""
        for line in folded(f"{label} {problem.message}{hint}", session.console.err):
            session.console.note(line)


def session_of(context: click.Context) -> Session:
    """Return the session of a click context."""
    found = context.find_object(Session)
    assert found is not None
    return found


def echo(line: str = "", *, err: bool = False, head: str = "") -> bool:
    """Write a line for people, with what could control a terminal spelled out.

    Returns whether somebody may still read standard output; with `| head`, not for long.

    Where it is wider than the terminal, it goes on in further lines, broken between words; a
    command in it stays whole. In a file or a pipe it is one line.

    Args:
        line: One line; an end of line in it is spelled out, too.
        err: Whether to write to standard error.
        head: What stands before the line; further ones are indented by its width.
    """
    console = _console()
    write = console.note if err else console.print
    for each in folded(line, console.err if err else None, head=head):
        write(each)
    return console.read


def echo_json(document: Mapping[str, Any]) -> bool:
    """Write a JSON object on one line, with the number of its schema as `schema`.

    Returns whether somebody may still read standard output.
    """
    console = _console()
    console.json_line(document)
    return console.read


def _console() -> Console:
    context = click.get_current_context(silent=True)
    session = None if context is None else context.find_object(Session)
    return Console() if session is None else session.console


def scan_globals(session: Session, arguments: Sequence[str]) -> list[str]:
    """Take the global flags out of the arguments, and return the rest for click.

    They are valid anywhere before a `--`. The packs have to be known before one of their commands
    is imported, and the output format before click can report an error.

    Raises:
        click.UsageError: A flag misses its value.
    """
    words = iter(arguments)
    ours = list(takewhile(lambda word: word != "--", arguments))
    session.json = "--json" in ours
    session.debug = "--debug" in ours
    rest: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif name in PACK_FLAGS:
            names = _names(name, value if equals else next(words, "--"))
            if name == "--no-pack":
                session.no_packs += names
            else:
                session.only_packs = (session.only_packs or ()) + names
        elif word != "--debug":
            rest.append(word)
    session.words = tuple(rest)
    first = next((word for word in rest if not word.startswith("-")), "")
    session.events = first in ("run", "resume", "rollback")
    return rest


def _names(flag: str, value: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    if value.startswith("--") or (not names and flag == "--no-pack"):
        raise click.UsageError(f"{flag} needs the name of a pack")
    return names

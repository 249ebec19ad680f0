"""`handrail actions`, and the group that `run` and `plan` share: its commands are actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.cli.session import session_of, warn
from handrail.cli.view.text import plural, table

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.targets import Target

CommandFor = Callable[["Target"], click.Command]


class ActionGroup(click.Group):
    """A group whose commands are the installed actions, and the local ones that are named.

    Options of the action may stand before its name too.
    """

    def __init__(
        self,
        *args: Any,
        command_for: CommandFor,
        leaf_options: Callable[[], list[click.Parameter]],
        **kwargs: Any,
    ) -> None:
        kwargs["subcommand_metavar"] = "ACTION [ARGS]..."
        kwargs["no_args_is_help"] = False
        super().__init__(*args, **kwargs)
        self._command_for = command_for
        self._leaf_options = leaf_options

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the installed actions that are on."""
        return [
            entry_point.name
            for record, entry_point in session_of(ctx).packs.catalog.offers("actions")
            if record.is_used
        ]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the action called `cmd_name` and return a command for it."""
        from handrail.targets import find_target  # noqa: PLC0415 - loads what a run needs

        session = session_of(ctx)
        return self._command_for(find_target(session.packs, session.folder, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command for the action that `args` begin with."""
        return args[0], self.get_command(ctx, args[0]), args[1:]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move options that stand before the name of the action behind it."""
        with_value = {
            name
            for option in self._leaf_options()
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        known = {name for option in self._leaf_options() for name in option.opts}
        early: list[str] = []
        rest = list(args)
        while rest and rest[0].partition("=")[0] in known:
            word = rest.pop(0)
            early.append(word)
            if word in with_value and rest:
                early.append(rest.pop(0))
        if not rest and not ctx.resilient_parsing:
            raise click.UsageError("name an action; `handrail actions` lists the installed ones")
        return super().parse_args(ctx, [*rest[:1], *early, *rest[1:]] if rest else early)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options that every action has, then the actions."""
        records = [option.get_help_record(ctx) for option in self._leaf_options()]
        rows = [record for record in records if record is not None]
        with formatter.section("Options, beside those of the action"):
            formatter.write_dl([*rows, ("-h, --help", "Show this message and exit.")])
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the installed actions that are on, with the pack that each is from."""
        rows = _rows(session_of(ctx), used=True)
        with formatter.section("Actions"):
            if rows:
                formatter.write_dl([(row[0], f"from {row[1]} {row[2]}".rstrip()) for row in rows])
            else:
                formatter.write_text("none; name one of your own, flows.py:NAME")


def _rows(session: Session, *, used: bool = False) -> list[Sequence[str]]:
    from handrail.packs.local import description_of  # noqa: PLC0415 - reads source files

    return [
        (
            entry_point.name,
            record.id,
            record.version,
            description_of(record, entry_point) or "-",
            record.status if record.is_used else f"{record.status} {record.why}",
        )
        for record, entry_point in session.packs.catalog.offers("actions")
        if record.is_used or not used
    ]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def actions(ctx: click.Context, as_json: bool) -> None:
    """List the actions that can be run.

    Reads what is installed and what the project's settings name, and imports none of it. Other
    actions of your own, in a file or a module, are not listed: run them by name, `handrail run
    flows.py:nightly`.
    """
    session = session_of(ctx)
    warn(session)
    rows = _rows(session)
    if as_json:
        from handrail.cli.commands.packs import offer_to_dict  # noqa: PLC0415 - reads source files

        offers = session.packs.catalog.offers("actions")
        listed = [offer_to_dict(record, entry) for record, entry in offers]
        session.console.json({"actions": listed})
        return
    if not rows:
        session.console.print("no installed pack brings an action")
        session.console.print("run one of your own:  handrail run flows.py:NAME")
        return
    for line in table(("ACTION", "PACK", "VERSION", "DOES", "STATUS"), rows):
        session.console.print(line)
    used = _rows(session, used=True)
    hint = f" · run one:  handrail run {used[0][0]}" if used else ""
    session.console.print(f"{plural(len(rows), 'action')}{hint}")

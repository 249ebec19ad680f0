"""The group that `run` and `plan` share: its commands are actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.builtin.cli.session import session_of
from handrail.targets import find_target

if TYPE_CHECKING:
    from handrail.packs.catalog import Offer
    from handrail.packs.configuration import Target

CommandFor = Callable[["Target", Sequence[click.Parameter]], click.Command]


class ActionGroup(click.Group):
    """A group whose commands are the installed actions, and local actions by name.

    Options that every action has are options of the group, and can be given before the name of the
    action or after it.
    """

    def __init__(self, *args: Any, command_for: CommandFor, **kwargs: Any) -> None:
        kwargs["subcommand_metavar"] = "ACTION [ARGS]..."
        kwargs["no_args_is_help"] = False
        super().__init__(*args, **kwargs)
        self._command_for = command_for

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the installed actions that are on."""
        return [entry.name for _, entry in _actions(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the action called `cmd_name` and return a command for it."""
        session = session_of(ctx)
        return self._command_for(find_target(session.packs, session.folder, cmd_name), self.params)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command for the action that `args` begin with.

        To complete the value of an option that every action has, the action is not imported.
        """
        if ctx.resilient_parsing and self._takes_value(args[-1]):
            return args[0], click.Command(args[0], params=self.params), args[1:]
        return args[0], self.get_command(ctx, args[0]), args[1:]

    def _takes_value(self, word: str) -> bool:
        options = (each for each in self.params if isinstance(each, click.Option))
        return any(word in each.opts and not each.is_flag for each in options)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move options given before the name of the action behind it."""
        _, rest, given = self.make_parser(ctx).parse_args(args=list(args))
        help_option = self.get_help_option(ctx)
        if help_option is not None and any(each.name == help_option.name for each in given):
            return super().parse_args(ctx, args)
        if not rest and not ctx.resilient_parsing:
            raise click.UsageError("name an action; `handrail actions` lists the installed ones")
        early = args[: len(args) - len(rest)]
        return super().parse_args(ctx, [*rest[:1], *early, *rest[1:]])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options that every action has, then the actions."""
        records = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        with formatter.section("Options, beside those of the action"):
            formatter.write_dl([record for record in records if record is not None])
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the installed actions that are on, with the pack that each is from."""
        rows = [
            (entry.name, f"from {record.id} {record.version}".rstrip())
            for record, entry in _actions(ctx)
        ]
        with formatter.section("Actions"):
            if rows:
                formatter.write_dl(rows)
            else:
                formatter.write_text("none; name one of your own, flows.py:NAME")


def _actions(ctx: click.Context) -> list[Offer]:
    """Return the installed actions that are on."""
    offers = session_of(ctx).packs.catalog.offers("actions")
    return [offer for offer in offers if offer[0].is_used]

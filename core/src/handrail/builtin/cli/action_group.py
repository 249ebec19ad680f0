"""What `run` and `plan` share: a group whose commands are actions, with options of their params."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.builtin.cli.params.options import ParamOptions, options_of
from handrail.builtin.cli.session import OWN_OPTIONS, session_of
from handrail.builtin.project.targets import find_target

if TYPE_CHECKING:
    from handrail.packs import Offer, Target

Act = Callable[[click.Context, ParamOptions], int]
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


def action_command(
    target: Target, shared: Sequence[click.Parameter], act: Act, text: str
) -> click.Command:
    """Return the command of an action, with options of its params.

    Args:
        target: The action.
        shared: The options that every action has.
        act: Does what the command is for, and returns the exit code.
        text: The help.
    """
    # A hidden one only says what its pack would do, and gives way to a param of the action.
    kept = [each for each in shared if not getattr(each, "hidden", False)]
    taken = {name for each in kept for name in each.opts} | OWN_OPTIONS
    action_class = target.action_class
    options = options_of(action_class.params_model, action_class.action_name, taken)
    own = {name for each in options.parameters for name in each.opts}

    def callback(**_values: Any) -> int:
        return act(click.get_current_context(), options)

    return ActionCommand(
        target.name,
        options=options,
        params=[*options.parameters, *(each for each in shared if not own & {*each.opts})],
        callback=callback,
        help=text,
    )


def param_options() -> list[click.Parameter]:
    """Return the options for params that every action has."""
    return [
        click.Option(["--params"], metavar="FILE", help="Read params from a JSON or TOML file."),
        click.Option(
            ["-p", "pairs"],
            multiple=True,
            metavar="KEY=VALUE",
            help="Set one param; the value is JSON or text, the key may be dotted. With PACK.KEY "
            "set a setting of a pack. Repeatable.",
        ),
    ]


class ActionCommand(click.Command):
    """The command of an action, whose help also lists arguments, and params without an option."""

    def __init__(self, *args: Any, options: ParamOptions, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = options

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options, then the rest."""
        if self._options.arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(self._options.arguments)
        super().format_options(ctx, formatter)
        if self._options.others:
            with formatter.section("Params without an option, for -p and --params"):
                formatter.write_dl(self._options.others)

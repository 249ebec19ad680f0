"""Groups of commands, each found by its entry point: those of core first, then those of packs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import handrail
from handrail.builtin.cli.options import with_options
from handrail.builtin.cli.session import session_of
from handrail.builtin.cli.starting import collect_again
from handrail.errors import HandrailError, NotFoundError
from handrail.packs import OURS, core_record, import_target
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail.packs import EntryPoint, PackRecord

SOURCES = Path(handrail.__file__).parents[1]
OPEN = ("new",)
"""The groups of commands that packs may add to: `new.pack` is the command `pack` in `new`."""


class Commands(click.Group):
    """A group whose commands are imported when they are called.

    Args:
        place: The group of the command line that it is, such as `new`; empty for the top level.
    """

    def __init__(self, *args: Any, place: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._place = place

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(dict.fromkeys((*self._own(), *self._offered(ctx))))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the called command, and no other one.

        Args:
            ctx: The context of the group.
            cmd_name: Its name there, or `pack:name`.

        Raises:
            NotFoundError: The pack is off, its entry point is not a click command, or the command
                is one of ours whose distribution is not installed.
            AmbiguousNameError: Several packs bring it.
            PackError: Its pack is broken, or it cannot be imported.
        """
        own = self._own().get(cmd_name)
        if own is None:
            return self._of_pack(ctx, cmd_name)
        command: click.Command = import_target(core_record(), own)
        return with_options(command, own.name, session_of(ctx))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with."""
        command = self.get_command(ctx, args[0])
        if command is None:
            raise self._unknown(ctx, args[0])
        return args[0], command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of core, then those of packs; none is imported."""
        from handrail.builtin.project.docstrings import describe_target  # noqa: PLC0415 - for help only

        own: dict[str, str] = {}
        for name, entry in sorted(self._own().items()):
            file = SOURCES.joinpath(*entry.module.split(".")).with_suffix(".py")
            own[name] = f"{describe_target(entry.value, file)}."
        packs = {name: f"from {owner}" for name, owner in self._offered(ctx).items()}
        if self._place:
            packs |= {name: f"pip install {each}" for name, each in self._absent(ctx).items()}
        others = [(name, text) for name, text in packs.items() if name not in own]
        for title, rows in (("Commands", list(own.items())), ("Commands from packs", others)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _own(self) -> dict[str, EntryPoint]:
        placed = [(_placed(entry.name), entry) for entry in core_record().offered("commands")]
        return {name: entry for (place, name), entry in placed if place == self._place}

    def _offered(self, ctx: click.Context) -> dict[str, str]:
        """Return the commands that packs bring, each with the pack that it is from."""
        return {
            name: str(record.origin)
            for record, entry in _entry_points(ctx)
            for place, name in (_placed(entry.name),)
            if record.is_used and place == self._place
        }

    def _absent(self, ctx: click.Context) -> dict[str, str]:
        """Return the commands of ours that no pack brings, each with its distribution."""
        known = {entry.name for _, entry in _entry_points(ctx)}
        return {
            name: distribution
            for entry, distribution in OURS["commands"].items()
            for place, name in (_placed(entry),)
            if entry not in known and place == self._place
        }

    def _of_pack(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the command that a pack brings, if any does; see `get_command`."""
        catalog = session_of(ctx).packs.catalog
        pack, colon, bare = name.rpartition(":")
        entry = f"{self._place}.{bare}" if self._place else bare
        if _placed(entry)[0] != self._place or all(
            each.name != entry for _, each in _entry_points(ctx)
        ):
            if distribution := self._absent(ctx).get(name):
                words = " ".join(filter(None, ("handrail", self._place, name)))
                way_out = f"pip install {distribution}"
                raise NotFoundError(f"`{words}` comes with {distribution}:  {way_out}")
            return None
        found = catalog.load("commands", pack + colon + entry)
        if isinstance(found, click.Command):
            collect_again()  # It may be a server.
            return found
        record, _ = catalog.find("commands", pack + colon + entry)
        raise NotFoundError(
            f"the command {name} of {record.origin} is {found!r}, not a click command"
        )

    def _unknown(self, ctx: click.Context, name: str) -> HandrailError:
        typed = " ".join(filter(None, (self._place, name)))
        hints = [did_you_mean(name, [*self.list_commands(ctx), *self._absent(ctx)])]
        records = () if self._place else session_of(ctx).packs.catalog.records
        if any(each.name == name for record in records for each in record.offered("actions")):
            words = session_of(ctx).words
            hints = [f"'{name}' is an action:  handrail run {shlex.join(words)}"]
        if self._place and not hints[0]:
            hints = [f"handrail {self._place} --help lists them"]
        return NotFoundError(f"there is no command '{typed}'", ways_out=hints)


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

"""Choices of packs: by flags, by variables, by a project, and as recorded with a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from handrail.frozen import NOTHING, frozen
from handrail.origin import Origin

T = TypeVar("T")

RECORDED = "as when the run began"
"""The source of choices that come from the record of a run."""


@frozen
class Value(Generic[T]):
    """A setting and its source.

    Attributes:
        value: The value.
        source: A flag (`--no-pack`), a variable (`HANDRAIL_NO_PACKS`), a place in a file
            (`handrail.toml:9`), or `default`.
        key: Dotted key in the file, such as `packs.disable`; empty for flags and variables.
    """

    value: T
    source: str
    key: str = ""

    @property
    def why(self) -> str:
        """The source with the key, such as `handrail.toml:9  packs.disable`."""
        return f"{self.source}  {self.key}" if self.key else self.source


def place_of(source: str) -> Origin:
    """Return the place of a setting, of which `source` begins with `file:line` if it has one."""
    place = source.partition("  ")[0]
    file, _, line = place.rpartition(":")
    return Origin(file=file, line=int(line)) if line.isdigit() else Origin(file=place)


@frozen
class Choice:
    """The packs that one source enables and disables.

    Attributes:
        disable: Names of packs to exclude.
        only: Names of the only packs to use, or None if the source has no such list.
    """

    disable: tuple[Value[str], ...] = ()
    only: Value[tuple[str, ...]] | None = None


@frozen
class Selection:
    """The packs selected by flags and variables; the project file may exclude more.

    Attributes:
        no_packs: Packs to exclude.
        only_packs: The only packs to use; None for all.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None


@frozen
class Flags:
    """The settings from the command line and the environment.

    Attributes:
        no_packs: Packs to exclude, from `--no-pack`.
        only_packs: The only packs to use, from `--only-packs`; None for all.
        pack_values: Settings of packs, from `-p PACK.KEY=VALUE`, as pack, dotted key and text.
        recorded: The recorded selection of a run to resume or roll back, used instead of the
            variables that select packs; or None.
        environ: The environment variables.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None
    pack_values: tuple[tuple[str, str, str], ...] = ()
    recorded: Selection | None = None
    environ: Mapping[str, str] = NOTHING


def selection_of(choices: Sequence[Choice]) -> Selection:
    """Return the combined selection of `choices`, strongest first, without the project file."""
    no_packs: list[str] = []
    for choice in choices:
        no_packs += [name.value for name in choice.disable if not name.key]
        if choice.only is not None and not choice.only.key:
            # A list of the only packs decides for all packs; weaker sources are ignored.
            return Selection(no_packs=tuple(no_packs), only_packs=choice.only.value)
    return Selection(no_packs=tuple(no_packs))


@frozen
class Table:
    """The values set for a pack, by source.

    Attributes:
        values: The project's values by key, possibly nested.
        source: Returns the `file:line` of one of these, by its path.
        prefix: Prefix of the pack's environment variables.
        variables: The variables with that prefix and their texts.
        flags: Texts from the command line, by path.
        fixed: Values that nobody may change, by path.
        is_given: Whether anybody names the pack.
    """

    values: Mapping[str, Any]
    source: Callable[..., str]
    prefix: str = ""
    variables: Mapping[str, str] = NOTHING
    flags: Mapping[tuple[str, ...], str] = NOTHING
    fixed: Mapping[tuple[str, ...], Value[Any]] = NOTHING
    is_given: bool = False

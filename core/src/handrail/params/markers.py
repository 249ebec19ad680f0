"""Markers for the fields of a params model."""

from __future__ import annotations

from collections.abc import Mapping

from handrail.frozen import NOTHING, frozen


@frozen(kw_only=False)
class Argument:
    """Marks a param as positional on the command line: `source: Annotated[Path, Argument()]`."""


@frozen(kw_only=False)
class Option:
    """Names the option of a param on the command line: `Annotated[int, Option("-n", "--limit")]`.

    A mapping from names, such as `dict[str, Path]`, has an option only with this marker: it takes
    `NAME=VALUE`, and is repeatable.

    Attributes:
        names: The option names, each with its dashes.
    """

    names: tuple[str, ...] = ()

    def __init__(self, *names: str) -> None:
        wrong = [name for name in names if not name.startswith("-")]
        if wrong or not names:
            raise ValueError(f"Option takes names such as '-n' or '--limit', not {names!r}")
        object.__setattr__(self, "names", names)


@frozen(kw_only=False)
class FromEnv:
    """Names the variable of a secret: `token: Annotated[SecretStr, FromEnv("ACME_TOKEN")]`.

    Secrets are never options; without this marker the variable is `HANDRAIL_<ACTION>_<PARAM>`. A
    field of any other type that has this marker is treated as a secret.
    """

    variable: str


@frozen(kw_only=False)
class ActionParams:
    """Marks the params of one action among those of another; only the needed ones are options.

    Attributes:
        lineage: The name of the action, and those of the actions that it extends.
        wired: Where each param comes from that is no option, by its name: `upload.catalogue`.
    """

    lineage: tuple[str, ...] = ()
    wired: Mapping[str, str] = NOTHING

"""Options and arguments from a pydantic params model, and the params from what was typed."""

from __future__ import annotations

import enum
import types
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin

import click

from handrail.params import Argument, FromEnv, Option

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

PathOf = tuple[str, ...]

_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret param: read from a variable, never from the command line."""

    path: PathOf
    variable: str
    option: str


@dataclass(slots=True)
class ParamOptions:
    """The click parameters that stand for the fields of a model.

    Attributes:
        parameters: Arguments and options, in the order of the fields.
        paths: The field behind each parameter, as the way to it through nested models.
        labels: What a person calls each field: its option, or its argument.
        secrets: Fields that come from a variable.
        arguments: `(name, help)` of each argument, for which click has no place.
    """

    parameters: list[click.Parameter] = field(default_factory=list[click.Parameter])
    paths: dict[str, PathOf] = field(default_factory=dict[str, PathOf])
    labels: dict[PathOf, str] = field(default_factory=dict[PathOf, str])
    secrets: list[Secret] = field(default_factory=list[Secret])
    arguments: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


class ActionCommand(click.Command):
    """A command whose help tells about its arguments too."""

    def __init__(self, *args: Any, arguments: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arguments = list(arguments)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options."""
        if self._arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(self._arguments)
        super().format_options(ctx, formatter)


def options_of(
    model: type[BaseModel] | None, action: str, taken: Collection[str] = ()
) -> ParamOptions:
    """Return the parameters for `model`.

    Args:
        model: The params model, or None for an action without one.
        action: Name of the action, for the variables of secrets.
        taken: Option names that belong to the command; a field of such a name has only `-p`.
    """
    made = ParamOptions()
    if model is not None:
        _add_model(made, model, action, (), set(taken))
    return made


def _add_model(
    made: ParamOptions, model: type[BaseModel], action: str, prefix: PathOf, taken: set[str]
) -> None:
    for name, info in model.model_fields.items():
        path = (*prefix, info.alias or name)
        kind = _without_none(info.annotation)
        option = "--" + "-".join((*prefix, name)).replace("_", "-").lower()
        made.labels[path] = f"-p {'.'.join(path)}"
        if _is_secret(kind):
            _add_secret(made, info, action, path, option)
        elif _is_model(kind):
            _add_model(made, cast("type[BaseModel]", kind), action, path, taken)
        elif _has_option(kind) and (option not in taken or _marker(info, Argument)):
            _add_parameter(made, info, kind, path, option, taken)


def _add_parameter(
    made: ParamOptions, info: FieldInfo, kind: Any, path: PathOf, option: str, taken: set[str]
) -> None:
    identifier = "__".join(("param", *path)).lower()
    several, item = _items(kind)
    made.paths[identifier] = path
    if _marker(info, Argument) is not None:
        metavar = path[-1].upper()
        made.labels[path] = metavar
        made.arguments.append((metavar, _help(info)))
        made.parameters.append(
            click.Argument(
                [identifier],
                required=False,
                nargs=-1 if several else 1,
                metavar=f"[{metavar}]{'...' if several else ''}"
                if not info.is_required()
                else f"{metavar}{'...' if several else ''}",
                type=_click_type(item),
            )
        )
        return
    named = _marker(info, Option)
    names = list(named.names) if named is not None else [option]
    taken.update(names)
    made.labels[path] = max(names, key=len)
    if item is bool and not several:
        longest = max(names, key=len)
        off = "--no-" + longest.removeprefix("--")
        names = [f"{name}/{off}" if name == longest else name for name in names]
    made.parameters.append(
        click.Option(
            [identifier, *names],
            help=_help(info),
            multiple=several,
            default=None,
            type=None if item is bool else _click_type(item),
            metavar=None if item is bool else _metavar(item),
        )
    )


def _add_secret(
    made: ParamOptions, info: FieldInfo, action: str, path: PathOf, option: str
) -> None:
    marker = _marker(info, FromEnv)
    variable = "_".join(("HANDRAIL", action, *path)).upper().replace("-", "_").replace(".", "_")
    if marker is not None:
        variable = marker.variable
    identifier = "__".join(("secret", *path)).lower()
    made.labels[path] = f"the variable {variable}"
    made.secrets.append(Secret(path=path, variable=variable, option=identifier))
    made.parameters.append(
        click.Option(
            [identifier, f"{option}-env"],
            metavar="VARIABLE",
            help=f"{_help(info)}  The secret is read from this variable, by default {variable}.",
        )
    )


def _help(info: FieldInfo) -> str:
    text = (info.description or "").strip()
    if info.is_required():
        return f"{text}  [required]".strip()
    default = info.get_default(call_default_factory=False)
    if default is None or default == [] or info.default_factory is not None or default == "":
        return text
    shown = default.value if isinstance(default, enum.Enum) else default
    if "secret" in type(default).__name__.lower():
        return text
    return f"{text}  [default: {shown}]".strip()


def _marker(info: FieldInfo, kind: type[Any]) -> Any:
    for entry in info.metadata:
        if isinstance(entry, kind):
            return entry
        if entry is kind:
            return kind()
    return None


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [each for each in get_args(annotation) if each is not type(None)]
        return rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007 - made at run time
    return annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_fields")


def _is_secret(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "get_secret_value")


def _items(kind: Any) -> tuple[bool, Any]:
    """Return whether `kind` holds several items, and the type of one."""
    origin = get_origin(kind)
    if origin in (list, set, frozenset, Sequence, Collection, Iterable):
        return True, _without_none((get_args(kind) or (str,))[0])
    if origin is tuple and get_args(kind)[1:] == (Ellipsis,):
        return True, _without_none(get_args(kind)[0])
    if kind in (list, set, frozenset):
        return True, str
    return False, kind


def _has_option(kind: Any) -> bool:
    """Whether text on the command line can stand for a value; `-p` takes JSON for the rest."""
    several, item = _items(kind)
    if get_origin(item) in (Union, types.UnionType):
        return all(_has_option(each) and not _items(each)[0] for each in get_args(item))
    if get_origin(item) is Literal:
        return True
    if get_origin(item) is not None or _is_model(item) or item is dict or item is Any:
        return False
    return isinstance(item, type) and not (several and _is_secret(item))


def _click_type(kind: Any) -> Any:
    # Values stay text: pydantic reads them, so that all mistakes are reported together.
    if get_origin(kind) is Literal:
        return click.Choice([str(each) for each in get_args(kind)])
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return click.Choice([str(each.value) for each in kind])
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return click.Path()
    return click.STRING


def _metavar(kind: Any) -> str | None:
    if get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        return None
    if isinstance(kind, type):
        return _METAVARS.get(kind, kind.__name__.upper())
    return "VALUE"

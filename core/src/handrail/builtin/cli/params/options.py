"""Builds click options and arguments from a params model."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click

from handrail import Argument, Option
from handrail.errors import ActionError
from handrail.frozen import frozen, record
from handrail.params import (
    ActionParams,
    KeyPath,
    bare,
    choices_of,
    fields_of,
    marker_of,
    model_in,
    paths_of,
    secret_fields,
    secrets_of,
    takes_text,
    variable_of,
)

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_BY_NAME = "NAME=VALUE"


@frozen
class Secret:
    """A secret param: read from a variable, never from the command line.

    Attributes:
        path: Its path in the model.
        variable: The default variable.
        option: Identifier of the option for another variable.
        as_json: Whether the variable contains JSON, such as a list of secrets.
    """

    path: KeyPath
    variable: str
    option: str
    as_json: bool


@record
class ParamOptions:
    """The click parameters for the fields of a model.

    Attributes:
        model: The model; None for an action without one.
        parameters: Arguments and options, in the order of the fields.
        paths: The field behind each parameter, as the way to it through nested models.
        labels: Name of each field for users: its option, or its argument.
        secrets: Fields that come from a variable.
        needed: Fields that have to be given, wherever the model around them is.
        hidden: Paths of the secrets.
        arguments: `(name, help)` of each argument, for which click has no place.
        others: The same of each field that only `-p` and `--params` reach.
        groups: The model of the params of each action of a chain, and what is known of them.
    """

    model: type[BaseModel] | None = None
    parameters: list[click.Parameter] = field(default_factory=list[click.Parameter])
    paths: dict[str, KeyPath] = field(default_factory=dict[str, KeyPath])
    labels: dict[KeyPath, str] = field(default_factory=dict[KeyPath, str])
    secrets: list[Secret] = field(default_factory=list[Secret])
    needed: list[KeyPath] = field(default_factory=list[KeyPath])
    hidden: frozenset[KeyPath] = frozenset()
    arguments: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    others: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    groups: dict[str, tuple[type[BaseModel], ActionParams]] = field(
        default_factory=dict[str, "tuple[type[BaseModel], ActionParams]"]
    )


def options_of(
    model: type[BaseModel] | None, action: str, taken: Collection[str] = ()
) -> ParamOptions:
    """Return the parameters for `model`.

    Args:
        model: The params model, or None for an action without one.
        action: Name of the action, for the variables of secrets.
        taken: Option names of the command itself; a field of such a name can only be set by `-p`,
            as its help says.

    Raises:
        ActionError: Two arguments accept any number of values.
    """
    if model is None:
        return ParamOptions()
    made = _Maker(action, set(taken), ParamOptions(model=model, hidden=secrets_of(model)))
    made.add_model(model)
    return made.options


class _Switch(click.Option):
    """An option whose value may be left out, or that is off: `--keep [DURATION] / --no-keep`."""

    def __init__(self, names: Sequence[str], **more: Any) -> None:
        on = [name.partition("/")[0] for name in names]
        more.update(is_flag=False, flag_value="true")
        super().__init__(on, **more)
        self.secondary_opts = [off for name in names if (off := name.partition("/")[2])]

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        for off in self.secondary_opts:
            parser.add_option(self, [off], self.name, action="store_const", const="false")

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None:
            return None
        # click would show the placeholder of the value twice.
        return " / ".join([record[0].partition(" / ")[0], *self.secondary_opts]), record[1]


@record
class _Maker:
    action: str
    taken: set[str]
    options: ParamOptions
    greedy: str = ""

    def add_model(
        self,
        model: type[BaseModel],
        prefix: KeyPath = (),
        within: tuple[type, ...] = (),
        needed_for: str = "",
        *,
        of_chain: bool = False,
        wired: Collection[str] = (),
    ) -> None:
        # A wired one is given only where the action that it comes from is left out.
        fields = {name: info for name, info in fields_of(model).items() if name not in wired}
        secrets = secret_fields(model)
        # An option that a field gives its name to comes before the --no- of another field.
        wanted = {_option(prefix, name) for name in fields}
        for name, info in fields.items():
            path = (*prefix, *paths_of(model, name)[0])
            option = _option(prefix, name)
            inner = model_in(info.annotation)
            kind = bare(info.annotation)
            group = marker_of(info, ActionParams)
            if group is None:
                self.options.labels[path] = f"-p {'.'.join(path)}"
            text = _help(info, needed_for, shows=name not in secrets)
            if info.is_required() and inner is None:
                self.options.needed.append(path)
            if name in secrets:
                self._add_secret(info, path, option, text)
            elif inner is not None and inner is not model and inner not in within:
                optional = "" if info.is_required() else ".".join(path)
                if group is not None:
                    self.options.groups[path[0]] = (inner, group)
                self.add_model(
                    inner,
                    path,
                    (*within, model),
                    needed_for or optional,
                    of_chain=of_chain or group is not None,
                    wired=() if group is None else group.wired,
                )
            elif not _has_option(info, kind) or (of_chain and not _is_main(info)):
                self.options.others.append((".".join(path), text))
            elif of_chain:
                self._add_option(info, path, option, text, wanted, named=(option,))
            elif marker_of(info, Argument) is not None:
                self._add_argument(info, kind, path, text)
            else:
                self._add_option(info, path, option, text, wanted)

    def _identifier(self, path: KeyPath) -> str:
        identifier = f"param_{len(self.options.parameters)}"
        self.options.paths[identifier] = path
        return identifier

    def _add_argument(self, info: FieldInfo, kind: Any, path: KeyPath, text: str) -> None:
        several, item = items_of(kind)
        metavar = path[-1].upper()
        if several and self.greedy:
            raise ActionError(
                f"{self.action} has two arguments that take any number of values: "
                f"{self.greedy} and {metavar}",
                ways_out=("take Argument() off one of them; it becomes an option then",),
            )
        self.greedy = metavar if several else self.greedy
        self.options.labels[path] = metavar
        self.options.arguments.append((metavar, text))
        shown = f"{metavar}..." if several else metavar
        self.options.parameters.append(
            click.Argument(
                [self._identifier(path)],
                required=False,
                nargs=-1 if several else 1,
                metavar=shown if info.is_required() else f"[{metavar}]{shown[len(metavar) :]}",
                type=click_type(item),
            )
        )

    def _add_option(
        self,
        info: FieldInfo,
        path: KeyPath,
        option: str,
        text: str,
        wanted: set[str],
        named: tuple[str, ...] = (),
    ) -> None:
        kind = bare(info.annotation)
        by_name = named_items_of(kind)
        several, item = items_of(kind) if by_name is None else (True, by_name)
        key = ".".join(path)
        marker = marker_of(info, Option)
        named = named or ((option,) if marker is None else marker.names)
        names = [name for name in named if name not in self.taken]
        taken = ", ".join(name for name in named if name in self.taken)
        if not names:
            self.options.others.append((key, _with(text, f"{taken} is taken: use -p {key}=...")))
            return
        if taken:
            text = _with(text, f"{taken} is taken")
        longest = max(names, key=len)
        self.options.labels[path] = longest
        self.taken.update(names)
        is_flag = item is bool and not several
        is_switch = bool in get_args(item) and not several
        if is_flag or is_switch:
            names, text = self._with_negation(info, names, text, key, wanted)
        self.options.parameters.append(
            (_Switch if is_switch else click.Option)(
                [self._identifier(path), *names],
                help=text,
                multiple=several,
                default=None,
                is_flag=True if is_flag else None,
                type=None if is_flag else click_type(item),
                metavar=None if is_flag else metavar_of(item) if by_name is None else _BY_NAME,
            )
        )

    def _with_negation(
        self, info: FieldInfo, names: list[str], text: str, key: str, wanted: set[str]
    ) -> tuple[list[str], str]:
        """Return the names of a flag with the option that turns it off, and its help."""
        longest = max(names, key=len)
        off = _negation(longest)
        if off not in self.taken and off not in wanted:
            self.taken.add(off)
            return [f"{name}/{off}" if name == longest else name for name in names], text
        if info.default is False:
            return names, text
        return names, _with(text, f"{off} is taken: use -p {key}=false")

    def _add_secret(self, info: FieldInfo, path: KeyPath, option: str, text: str) -> None:
        variable = variable_of(self.action, path, info)
        identifier = f"secret_{len(self.options.parameters)}"
        as_json = not takes_text(bare(info.annotation))
        self.options.labels[path] = f"the variable {variable}"
        self.options.secrets.append(
            Secret(path=path, variable=variable, option=identifier, as_json=as_json)
        )
        how = ", as JSON" if as_json else ""
        name = f"{option}-env"
        if name in self.taken:
            read = f"A secret, read from the variable {variable}{how}."
            shown = _with(f"{text}  {read}".strip(), f"{name} is taken")
            self.options.others.append((".".join(path), shown))
            return
        self.taken.add(name)
        read = f"The secret is read from this variable{how}, by default {variable}."
        self.options.parameters.append(
            click.Option([identifier, name], metavar="VARIABLE", help=f"{text}  {read}".strip())
        )


def items_of(kind: Any) -> tuple[bool, Any]:
    """Return whether `kind` contains several items, and the type of an item."""
    origin = get_origin(kind)
    if origin in (list, set, frozenset, Sequence, Collection, Iterable):
        return True, bare((get_args(kind) or (str,))[0])
    if origin is tuple and get_args(kind)[1:] == (Ellipsis,):
        return True, bare(get_args(kind)[0])
    if kind in (list, set, frozenset):
        return True, str
    return False, kind


def named_items_of(kind: Any) -> Any:
    """Return the type of the items of a mapping by names, if they can be given as text; else None.

    Such a param can have an option, as `--source NAME=VALUE`, where it has the marker `Option`.
    """
    if get_origin(kind) not in (dict, Mapping) or get_args(kind)[0] is not str:
        return None
    item = bare(get_args(kind)[1])
    return item if takes_text(item) else None


def _has_option(info: FieldInfo, kind: Any) -> bool:
    """Return whether a param has an option; a mapping only if it has a name for it."""
    if named_items_of(kind) is not None:
        return marker_of(info, Option) is not None
    return takes_text(items_of(kind)[1])


def _is_main(info: FieldInfo) -> bool:
    """Return whether a param of an action has an option in a chain too, where there are many."""
    return info.is_required() or marker_of(info, Argument) is not None


def _option(prefix: KeyPath, name: str) -> str:
    # `from_` is how Python spells a field for --from.
    words = [word.rstrip("_") for word in (*prefix, name)]
    return "--" + "-".join(words).replace("_", "-").lower()


def _negation(option: str) -> str:
    if option.startswith("--no-"):
        return f"--{option.removeprefix('--no-')}"
    return f"--no-{option.lstrip('-')}"


def _help(info: FieldInfo, needed_for: str, *, shows: bool) -> str:
    text = (info.description or "").strip()
    if info.is_required():
        return f"{text}  [required{f' for {needed_for}' if needed_for else ''}]".strip()
    if info.default_factory is not None or not shows:
        return text
    shown = default_text(info.get_default(call_default_factory=False))
    return f"{text}  [default: {shown}]".strip() if shown else text


def _with(text: str, remark: str) -> str:
    return f"{text}  [{remark}]".strip()


_METAVARS: dict[type, str] = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}
_LONGEST = 60  # Characters of a default that are shown.


def click_type(kind: Any) -> click.ParamType[Any]:
    """Return the click type: values stay text, so that all mistakes are reported together."""
    choices = choices_of(kind)
    if choices:
        return click.Choice(list(choices))
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return click.Path()
    return click.STRING


def metavar_of(kind: Any) -> str | None:
    """Return the placeholder of a value in the help; None for a choice, which lists its words."""
    if choices_of(kind):
        return None
    if bool in get_args(kind):  # The value of `bool | Duration` may be left out.
        return f"[{' or '.join(metavar_of(each) or '' for each in get_args(kind)[1:])}]"
    if isinstance(kind, type):
        is_size = hasattr(kind, "human_readable")  # pydantic's ByteSize
        return "SIZE" if is_size else _METAVARS.get(kind, kind.__name__.upper())
    return "VALUE"


def default_text(default: Any) -> str:
    """Return a default as text for the help; empty if it is not worth showing."""
    if default is None or default == "" or default in ([], {}, (), set()):
        return ""
    value: Any = default.value if isinstance(default, enum.Enum) else default
    written = getattr(value, "human_readable", None)  # Of pydantic's ByteSize.
    text = str(value if written is None else written())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

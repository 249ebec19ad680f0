"""Checks which outputs of the actions of a chain become params of others, from types alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints, is_typeddict

from handrail.errors import Problem
from handrail.frozen import record
from handrail.params.model import bare, field_named, fields_of, is_model, paths_of
from handrail.params.secrets import holds_secret, is_secret
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail.actions import BaseAction

Members = Mapping[str, "type[BaseAction[Any]]"]

_TEXT, _NUMBER, _LIST, _MAPPING = "text", "a number", "a list", "a mapping"
_NOT_OUTPUTS = ("summary", "next")  # They are for the command line.


@record
class Wiring:
    """The inputs of the actions of a chain.

    Attributes:
        inputs: The output that each input comes from, by action and by where its param is read.
        fields: The same by the name of the field of the model.
        problems: The wires that cannot be.
    """

    inputs: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    fields: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    problems: list[Problem] = field(default_factory=list[Problem])


def wiring(chain: str, members: Members, wires: Mapping[str, str]) -> Wiring:
    """Return the inputs of a chain.

    Args:
        chain: Its name.
        members: Its actions.
        wires: Each param with the output that it comes from: `{"export.source": "upload.table"}`.
    """
    found = Wiring()
    for target, source in wires.items():
        problem = _wire(found, members, target, source)
        if problem is not None:
            message, *ways_out = problem
            found.problems.append(
                Problem(
                    code="bad-input",
                    message=f"the input {target} = {source} of {chain}: {message}",
                    ways_out=tuple(filter(None, ways_out)),
                )
            )
    return found


def _wire(found: Wiring, members: Members, target: str, source: str) -> list[str] | None:
    """Add one wire; if it cannot be, return why and the ways out."""
    (name, param), (earlier, output) = target.partition(".")[::2], source.partition(".")[::2]
    for each, kind in ((name, target), (earlier, source)):
        if each not in members:
            hint = did_you_mean(each, members) or f"its actions: {', '.join(members)}"
            return [f"there is no action '{each}' for {kind}", hint]
    order = list(members)
    if order.index(earlier) >= order.index(name):
        return [f"{earlier} does not end before {name} begins"]
    annotation, wrong = _param(found, members[name], name, param, source)
    if wrong:
        return wrong
    outputs = outputs_of(members[earlier])
    if outputs is None:  # It is known when the action begins.
        return None if output else [f"it names no output of {earlier}"]
    if output not in outputs:
        known = [each for each in outputs if each not in _NOT_OUTPUTS]
        hint = did_you_mean(output, known) or f"outputs of {earlier}: {', '.join(known) or 'none'}"
        return [f"{earlier} has no output '{output}'", hint]
    given, wanted = _shape(outputs[output]), _shape(annotation)
    if given and wanted and given != wanted and (given, wanted) != (_TEXT, _NUMBER):
        return [f"{source} is {given}, and {target} takes {wanted}"]
    return None


def _param(
    found: Wiring, action: type[BaseAction[Any]], name: str, param: str, source: str
) -> tuple[Any, list[str]]:
    """Keep where a param comes from; return its type, or else why that cannot be."""
    model = action.params_model
    if model is None:
        return None, [f"{name} takes no params"]

    fields = fields_of(model)
    try:
        known = field_named(model, param)
    except LookupError:
        hint = did_you_mean(param, fields) or f"params of {name}: {', '.join(fields)}"
        return None, [f"{name} has no param '{param}'", hint]
    if is_secret(fields[known]) or holds_secret(fields[known].annotation):
        return None, [f"{name}.{param} is a secret, and is read from a variable only"]
    found.inputs.setdefault(name, {})[".".join(paths_of(model, known)[0])] = source
    found.fields.setdefault(name, {})[known] = source
    return fields[known].annotation, []


def outputs_of(action: type[BaseAction[Any]]) -> Mapping[str, Any] | None:
    """Return the outputs of an action with their types: the fields of what its `result` returns.

    None if that is no TypedDict, so that the outputs are known only at the end of the action.
    """
    method: Any = action.result
    annotation = getattr(method, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        names = vars(sys.modules.get(method.__module__, object))
        annotation = names.get(annotation)
    return _hints(annotation) if is_typeddict(annotation) else None


def _hints(kind: Any) -> Mapping[str, Any]:
    try:
        return get_type_hints(kind)
    except Exception:  # noqa: BLE001 - names that only a checker knows
        return dict.fromkeys(kind.__annotations__, Any)


def _shape(annotation: Any) -> str | None:
    """Return what a value of a type is in JSON, as far as that is certain."""
    kind = bare(annotation)
    kind = get_origin(kind) or kind
    if get_args(kind) or not isinstance(kind, type):
        return _MAPPING if is_typeddict(kind) else None
    if kind is bool or is_model(kind) or is_typeddict(kind):
        return None if kind is bool else _MAPPING
    for shape, kinds in _SHAPES.items():
        if issubclass(kind, kinds):
            return shape
    return None


_SHAPES: dict[str, tuple[type, ...]] = {
    _TEXT: (str, PurePath),
    _NUMBER: (int, float),
    _LIST: (list, tuple, set, frozenset),
    _MAPPING: (Mapping, dict),
}

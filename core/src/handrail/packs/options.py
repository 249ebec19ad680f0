"""Checks options from a settings file against the signature of what takes them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from handrail.names import did_you_mean

_OPEN = (inspect.Parameter.VAR_KEYWORD,)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(slots=True, kw_only=True)
class Checked:
    """Options that were checked.

    Attributes:
        values: Those that fit, as the annotations want them.
        mistakes: A sentence and a way out, which may be empty, for each thing that is wrong.
    """

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    mistakes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def check_options(
    target: Callable[..., Any], options: Mapping[str, Any], *, given: int = 0
) -> Checked:
    """Compare `options` with what `target` takes.

    Args:
        target: A class or function.
        options: Values as a TOML file holds them.
        given: How many leading parameters are filled by position, as the step of a wrapper is.
    """
    checked = Checked()
    try:
        parameters = list(inspect.signature(target).parameters.values())[given:]
    except (TypeError, ValueError):
        checked.values.update(options)  # Some classes written in C have no signature.
        return checked
    hints = _hints(target)
    named = {each.name: each for each in parameters if each.kind in _BY_NAME}
    takes_any = any(each.kind in _OPEN for each in parameters)
    for name, value in options.items():
        if name in named:
            _take(checked, name, value, hints.get(name, inspect.Parameter.empty))
        elif takes_any:
            checked.values[name] = value
        else:
            takes = f"it takes: {', '.join(named)}" if named else "it takes no options"
            checked.mistakes.append(
                (f"there is no option {name}", did_you_mean(name, named) or takes)
            )
    for name, parameter in named.items():
        if parameter.default is parameter.empty and name not in options:
            checked.mistakes.append((f"the option {name} is needed", ""))
    return checked


def _hints(target: Callable[..., Any]) -> Mapping[str, Any]:
    function: Any = getattr(target, "__init__", None) if isinstance(target, type) else target
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - names that only type checkers know
        return {}


def _take(checked: Checked, name: str, value: Any, annotation: Any) -> None:
    if annotation is inspect.Parameter.empty or annotation is Any:
        checked.values[name] = value
        return
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - only where it is needed

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        text = json.dumps(value, default=str)
    except Exception:  # noqa: BLE001 - a type that pydantic does not know
        checked.values[name] = value
        return
    try:
        # As strict as JSON: a number is no text, but a path or a date may be written as one.
        checked.values[name] = adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = first["msg"][:1].lower() + first["msg"][1:]
        checked.mistakes.append((f"the option {name} is {value!r}: {said}", ""))

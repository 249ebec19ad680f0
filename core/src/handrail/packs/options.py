"""Validates options from a settings file against the signature of a step or wrapper."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from handrail.suggest import did_you_mean

_OPEN = (inspect.Parameter.VAR_KEYWORD,)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(slots=True, kw_only=True)
class Checked:
    """The result of validating options.

    Attributes:
        values: The valid options, converted to their annotated types.
        mistakes: A sentence and a way out, which may be empty, for each error.
    """

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    mistakes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def check_options(
    target: Callable[..., Any], options: Mapping[str, Any], *, given: int = 0
) -> Checked:
    """Validate `options` against the parameters of `target`.

    Args:
        target: A class or function.
        options: Values from a TOML file.
        given: The number of leading parameters passed by position, such as a wrapper's step.
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
        # Strict as in JSON: a number is not accepted as text, but text as a path or a date is.
        checked.values[name] = adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = first["msg"][:1].lower() + first["msg"][1:]
        checked.mistakes.append((f"the option {name} is {value!r}: {said}", ""))

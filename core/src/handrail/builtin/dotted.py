"""The params of a model by their dotted names, such as `optimizer.rate`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from handrail.frozen import frozen
from handrail.params.conversion import from_json
from handrail.params.model import (
    KeyPath,
    fields_of,
    kind_at,
    merge,
    model_at,
    model_in,
    paths_of,
    secrets_of,
    set_path,
    touches,
    value_at,
)
from handrail.params.stored import params_text
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

NOTHING = object()
"""What `stored_value` returns where there is no value."""


@frozen(kw_only=False)
class DottedParams:
    """The params of a model, each by its dotted name.

    Attributes:
        model: The model; None for an action that takes whatever it is given.
    """

    model: type[BaseModel] | None

    def kind(self, name: str) -> Any:
        """Return the type of a param; None if it is unknown."""
        return None if self.model is None else kind_at(self.model, path_of(name))

    def read(self, name: str, text: str) -> Any:
        """Return the value of a param that a text is, as far as its type says."""
        return from_json(self.kind(name), text)

    def problem(self, name: str) -> str:
        """Return why a param cannot be given by its name: it is unknown, or a secret; else `""`."""
        model, path = self.model, path_of(name)
        if model is None:
            return ""
        if touches(path, secrets_of(model)):
            return "is a secret"
        if kind_at(model, path) is not None or self._takes_others(path):
            return ""
        return "; ".join(filter(None, ("unknown param", self._hint(path))))

    def preferred(self, name: str) -> str:
        """Return the name by which a param is stored, if it has several."""
        return ".".join(_preferred(self.model, path_of(name)))

    def _hint(self, path: KeyPath) -> str:
        known = [] if self.model is None else list(_dotted(self.model))
        same = [each for each in known if each.rpartition(".")[2] == path[-1]]
        same_name = f"did you mean {' or '.join(same)}?"
        return same_name if same else did_you_mean(".".join(path), known)

    def _takes_others(self, path: KeyPath) -> bool:
        """Return whether a param that is no field may be given nevertheless."""
        inner = model_at(self.model, path[:-1])
        return inner is not None and inner.model_config.get("extra") == "allow"


def path_of(name: str) -> KeyPath:
    """Return the way to a param from its dotted name."""
    return tuple(part.strip() for part in name.split("."))


def with_values(params: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return params with some set to other values, each given by its dotted name."""
    made: dict[str, Any] = {}
    merge(made, params)
    for name, value in values.items():
        set_path(made, path_of(name), value)
    return made


def stored_value(model: type[BaseModel] | None, params: Any, action: str, name: str) -> Any:
    """Return the value of a param as a journal stores it; `NOTHING` for one that it does not store.

    Args:
        model: The params model of the action.
        params: The params, validated.
        action: Name of the action.
        name: The dotted name of the param.
    """
    stored = json.loads(params_text(model, params, action))
    return value_at(stored["values"], path_of(name), NOTHING)


def _preferred(model: type[BaseModel] | None, path: KeyPath) -> KeyPath:
    """Return `path` with the preferred names of fields that have several."""
    if model is None:
        return path
    for name, info in fields_of(model).items():
        ways = paths_of(model, name)
        for way in ways:
            if path[: len(way)] == way:
                return (*ways[0], *_preferred(model_in(info.annotation), path[len(way) :]))
    return path


def _dotted(model: type[BaseModel], prefix: KeyPath = ()) -> Iterator[str]:
    """Yield the dotted names of the params of a model, those of models in it, too."""
    for name, info in fields_of(model).items():
        path = (*prefix, *paths_of(model, name)[0])
        inner = model_in(info.annotation)
        if inner is None or inner is model:
            yield ".".join(path)
        else:
            yield from _dotted(inner, path)

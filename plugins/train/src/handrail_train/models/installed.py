"""Finds the kinds of models of installed packs and of the project, without importing them."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from handrail.errors import LocalCodeError, NotFoundError
from handrail.local import LocalObject, local_objects
from handrail_train.errors import ModelError
from handrail_train.models.kind import Hyper, ModelKind
from handrail_train.names import cut, near

GROUP = "handrail_train.models"

Offer = EntryPoint | LocalObject


def installed_kinds() -> list[Offer]:
    """Return what offers a kind, sorted by name; nothing is imported.

    Kinds of the project are those of `[local.kinds]` in its settings.

    Raises:
        SettingsError: The settings of the project are not valid.
    """
    found: list[Offer] = [*_installed(tuple(sys.path)), *local_objects("kinds").values()]
    return sorted(found, key=lambda each: (each.name, distribution_of(each)))


@lru_cache(maxsize=4)
def _installed(_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Search the path of this process."""
    return tuple(entry_points(group=GROUP))


def distribution_of(point: Offer) -> str:
    """Return the name of the distribution that brings a kind; `local` for the project."""
    if isinstance(point, LocalObject):
        return "local"
    return "" if point.dist is None else str(point.dist.name)


def kind_named(name: str) -> ModelKind[Any]:
    """Return a kind of model; this imports its module, but not its library.

    Raises:
        ModelError: There is no such kind, several packs bring it, or the entry point is not one.
        SettingsError: The settings of the project are not valid.
        LocalCodeError: The file of the project that has it cannot be imported.
    """
    kinds = installed_kinds()
    found = [each for each in kinds if each.name == name]
    if not found:
        names = [each.name for each in kinds]
        raise ModelError(
            f"no model is known as {name!r}; there are {', '.join(names)}",
            ways_out=near(name, names),
        )
    packs = [distribution_of(each) for each in found]
    if len(found) > 1:
        raise ModelError(
            f"several packs bring a model called {name}: {' and '.join(packs)}",
            ways_out=("give one of them another name, or uninstall it",),
        )
    point, who = found[0], f"the model {name} of {packs[0]}"
    ways_out = (f"mend or update {packs[0]}",)
    made: ModelKind[Any] | None = None
    try:
        loaded: object = point.load()
        if isinstance(loaded, type) and issubclass(loaded, ModelKind):
            made = cast("Any", loaded)()
    except (LocalCodeError, NotFoundError):
        raise
    except Exception as error:
        said = cut(f"{type(error).__name__}: {error}", 200)
        raise ModelError(f"{who} cannot be loaded: {said}", ways_out=ways_out) from error
    if made is None:
        place = point.target if isinstance(point, LocalObject) else point.value
        raise ModelError(f"{who} is {place}, which is no ModelKind", ways_out=ways_out)
    hyper: object = getattr(made, "hyper", None)
    if not (isinstance(hyper, type) and issubclass(hyper, Hyper)):
        raise ModelError(
            f"{who} has no model of its hyper-parameters: `hyper` has to be derived from "
            "handrail_train.Hyper",
            ways_out=ways_out,
        )
    return made

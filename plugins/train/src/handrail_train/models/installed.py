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
LOCAL = "local"

Offer = EntryPoint | LocalObject


def installed_kinds() -> dict[str, Offer]:
    """Return what offers each kind by its name, sorted; nothing is imported.

    Kinds of the project are those of `[local.kinds]` in its settings. If several distributions
    provide the same name, or one and the project, each is listed as `distribution:name`, or
    `local:name`, and the bare name is not.

    Raises:
        SettingsError: The settings of the project are not valid.
    """
    found: dict[str, Offer] = dict(_found(tuple(sys.path)))
    for name, local in local_objects("kinds").items():
        other = found.pop(name, None)
        if other is None:
            found[name] = local
        else:
            found |= {f"{distribution_of(other)}:{name}": other, f"{LOCAL}:{name}": local}
    return dict(sorted(found.items()))


@lru_cache(maxsize=4)
def _found(_path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Search the path of this process."""
    named: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        named.setdefault(point.name, {}).setdefault(distribution_of(point), point)
    return dict(
        sorted(
            (name if len(points) == 1 else f"{distribution}:{name}", point)
            for name, points in named.items()
            for distribution, point in points.items()
        )
    )


def distribution_of(point: Offer) -> str:
    """Return the name of the distribution that brings a kind; `local` for the project."""
    if isinstance(point, LocalObject):
        return LOCAL
    return "" if point.dist is None else str(point.dist.name)


def kind_named(name: str) -> ModelKind[Any]:
    """Return a kind of model; this imports its module, but not its library.

    Raises:
        ModelError: There is no such kind, or the entry point is not one.
        SettingsError: The settings of the project are not valid.
        LocalCodeError: The file of the project that has it cannot be imported.
    """
    kinds = installed_kinds()
    distribution, _, bare = name.rpartition(":")
    if name not in kinds and bare in kinds and distribution == distribution_of(kinds[bare]):
        return kind_named(bare)
    if name not in kinds:
        clash = [each for each in kinds if each.endswith(f":{name}")]
        if clash:
            raise ModelError(
                f"several packs bring a model called {name}",
                ways_out=(f"say which one: {' or '.join(clash)}",),
            )
        raise ModelError(
            f"no model is known as {name!r}; there are {', '.join(kinds)}",
            ways_out=near(name, kinds),
        )
    point = kinds[name]
    pack = distribution_of(point)
    way = "update or uninstall" if pack != LOCAL else "mend the file of"
    ways_out = (f"{way} {pack}",)
    made: ModelKind[Any] | None = None
    place = point.target if isinstance(point, LocalObject) else point.value
    try:
        loaded: object = point.load()
        if isinstance(loaded, type) and issubclass(loaded, ModelKind):
            made = cast("Any", loaded)()
    except (LocalCodeError, NotFoundError):
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise ModelError(
            f"the model {name} of {pack} cannot be loaded: {cut(said, 200)}", ways_out=ways_out
        ) from error
    if made is None:
        raise ModelError(
            f"the model {name} of {pack} is {place}, which is no ModelKind", ways_out=ways_out
        )
    hyper: object = getattr(made, "hyper", None)
    if not (isinstance(hyper, type) and issubclass(hyper, Hyper)):
        raise ModelError(
            f"the model {name} of {pack} has no model of its hyper-parameters: `hyper` has to be "
            "derived from handrail_train.Hyper",
            ways_out=ways_out,
        )
    return made

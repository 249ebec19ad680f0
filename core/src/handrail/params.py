"""Params of an action: the model that a class names, and the markers for its fields."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, ForwardRef, TypeGuard, get_args, get_origin

from handrail.errors import ActionError

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Argument:
    """Marks a param as positional on the command line: `source: Annotated[Path, Argument()]`."""


@dataclass(frozen=True, slots=True)
class Option:
    """Names the option of a param on the command line: `Annotated[int, Option("-n", "--limit")]`.

    Attributes:
        names: The option names, each with its dashes.
    """

    names: tuple[str, ...] = ()

    def __init__(self, *names: str) -> None:
        wrong = [name for name in names if not name.startswith("-")]
        if wrong or not names:
            raise ValueError(f"Option takes names such as '-n' or '--limit', not {names!r}")
        object.__setattr__(self, "names", names)


@dataclass(frozen=True, slots=True)
class FromEnv:
    """Names the variable that holds a secret: `token: Annotated[SecretStr, FromEnv("ACME_TOKEN")]`.

    Secrets are never options; without this marker the variable is `HANDRAIL_<ACTION>_<PARAM>`. A
    field of any other type that has this marker is treated as a secret.
    """

    variable: str


def params_argument(cls: type, root: type) -> type[BaseModel] | None:
    """Return the params model that `cls` gives to the generic `root`, through any bases between.

    Raises:
        ActionError: What it gives cannot be a params model.
    """
    argument = _argument(cls, root)
    if isinstance(argument, ForwardRef | str):
        name = argument if isinstance(argument, str) else argument.__forward_arg__
        module = sys.modules.get(cls.__module__)
        argument = getattr(module, name, None)
        if argument is None:
            raise ActionError(
                f"{cls.__qualname__} names its params model by the text {name!r}, "
                "which is not defined yet",
                ways_out=(f"define {name} above the action, and write {root.__name__}[{name}]",),
            )
    if is_model(argument):
        return argument
    if is_dataclass(argument):
        check_model(argument, cls.__qualname__)
    return None


def _argument(cls: type, root: type) -> Any:
    """Return what `cls` itself gives to `root`; a TypeVar where that is still open."""
    for base in cls.__dict__.get("__orig_bases__", ()):
        origin: Any = get_origin(base)
        if origin is root:
            return get_args(base)[0]
        if isinstance(origin, type) and issubclass(origin, root):
            found = _argument(origin, root)
            names: tuple[Any, ...] = getattr(origin, "__parameters__", ())
            return dict(zip(names, get_args(base), strict=False)).get(found, found)
    return None


def is_model(candidate: object) -> TypeGuard[type[BaseModel]]:
    """Return whether `candidate` is a pydantic model class."""
    return isinstance(candidate, type) and hasattr(candidate, "model_fields")


def check_model(model: object, owner: str) -> None:
    """Refuse a params model that is none.

    Raises:
        ActionError: It is neither None nor a pydantic model.
    """
    if model is not None and not is_model(model):
        name = getattr(model, "__name__", repr(model))
        raise ActionError(
            f"the params of {owner} are {name}, which is no pydantic model",
            ways_out=(f"derive it from pydantic's BaseModel: class {name}(BaseModel)",),
        )


def name_of(cls: type) -> str:
    """Return the name of an action that gives none: `UploadFilesAction` is `upload_files`."""
    stem = re.sub("Action$", "", cls.__name__) or cls.__name__
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()

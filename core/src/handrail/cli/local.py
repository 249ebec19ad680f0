"""Finds the action that a person named: an installed one, or one in a file or module of theirs."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

from handrail.errors import LocalCodeError, NotFoundError, PackError, describe
from handrail.names import did_you_mean
from handrail.origin import Origin

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.cli.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An action to be planned or run.

    Attributes:
        name: What the person called it.
        action_class: The class.
        origin: Where it came from.
    """

    name: str
    action_class: type[BaseAction[Any]]
    origin: Origin


def find_target(session: Session, name: str) -> Target:
    """Return the action called `name`: `upload`, `pack:upload`, `flows.py:nightly`, `module:name`.

    Raises:
        NotFoundError: There is none; the message has near names and what to install.
        LocalCodeError: The file or module could not be imported.
        PackError: The pack that has it is broken.
    """
    head, _, attribute = name.rpartition(":")
    if head and _looks_like_file(head):
        return _from_module(name, _import_file(head), attribute, head)
    if _looks_like_file(name):
        return _from_module(name, _import_file(name), "", name)
    if head and session.packs.catalog.has_pack(head):
        return _installed(session, name)
    if head:
        return _from_module(name, _import_module(head), attribute, head)
    return _installed(session, name)


def _looks_like_file(name: str) -> bool:
    return name.endswith(".py") or os.sep in name or name in (".", "..") or "/" in name


def _installed(session: Session, name: str) -> Target:
    record, entry_point = session.packs.catalog.find("actions", name)
    found = session.packs.catalog.load("actions", name)
    action_class = as_action(found)
    if action_class is None:
        raise PackError(
            f"the action {entry_point.name} of {record.origin} is {found!r}; "
            "the entry point has to name a class derived from BaseAction, or an action(...)",
            origin=record.origin,
            ways_out=(f"leave the pack out:  --no-pack {record.id}",),
        )
    return Target(
        name=name, action_class=_renamed(action_class, entry_point.name), origin=record.origin
    )


def as_action(found: object) -> type[BaseAction[Any]] | None:
    """Return the action class that `found` is or stands for, or None."""
    from handrail.workflow import Workflow  # noqa: PLC0415 - loads what a run needs

    if isinstance(found, Workflow):
        return found.action_class
    return found if _is_action_class(found) else None


def _is_action_class(found: object) -> TypeGuard[type[BaseAction[Any]]]:
    from handrail.actions import BaseAction  # noqa: PLC0415 - loads what a run needs

    return isinstance(found, type) and issubclass(found, BaseAction) and found is not BaseAction


def _renamed(action_class: type[BaseAction[Any]], name: str) -> type[BaseAction[Any]]:
    """Return the class under the name that its entry point gives it."""
    if action_class.action_name == name:
        return action_class
    members = {"action_name": name, "__module__": action_class.__module__}
    return type(action_class.__name__, (action_class,), members)


def _import_file(name: str) -> ModuleType:
    path = Path(name)
    if path.is_dir():
        raise LocalCodeError(
            f"{name} is a directory; run takes an action in a file",
            ways_out=(f"for example: handrail run {path / 'flows.py'}:NAME",),
        )
    if not path.exists():
        raise NotFoundError(
            f"there is no file {name} (looked in {Path.cwd()})",
            ways_out=(_near_files(path),),
        )
    module_name = path.stem
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise LocalCodeError(f"{name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        del sys.modules[module_name]
        raise _not_imported(name, path.resolve(), error) from error
    return module


def _near_files(path: Path) -> str:
    folder = path.parent
    names = [each.name for each in folder.glob("*.py")] if folder.is_dir() else []
    return did_you_mean(path.name, names)


def _import_module(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise NotFoundError(
                f"there is no module {name}, nor a pack of that name",
                ways_out=(
                    f"for a file: handrail run {name.replace('.', '/')}.py:NAME",
                    f"searched: {Path.cwd()} and the packages of {sys.prefix}",
                ),
            ) from error
        raise _not_imported(name, None, error) from error
    except BaseException as error:
        raise _not_imported(name, None, error) from error


def _not_imported(name: str, path: Path | None, error: BaseException) -> LocalCodeError:
    place = ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{Path(error.filename).name}:{error.lineno}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if path is not None and frame.filename == str(path)]
        frame = (own or frames)[-1:]
        place = f"{Path(frame[0].filename).name}:{frame[0].lineno}" if frame else ""
    where = f" ({place})" if place else ""
    return LocalCodeError(
        f"{name} could not be imported{where}: {type(error).__name__}: {describe(error)}",
        ways_out=("--debug shows the traceback",),
    )


def _from_module(name: str, module: ModuleType, attribute: str, shown: str) -> Target:
    actions = _actions_of(module)
    if not attribute:
        if len(actions) != 1:
            listed = ", ".join(f"{shown}:{each}" for each in actions)
            raise NotFoundError(
                f"{shown} has {len(actions) or 'no'} actions{'; name one' if actions else ''}",
                ways_out=(f"actions there: {listed}" if listed else _how_to_make_one(shown),),
            )
        attribute = next(iter(actions))
    found = getattr(module, attribute, None)
    action_class = actions.get(attribute) or as_action(found)
    if action_class is None:
        raise _no_action(attribute, found, actions, shown)
    return Target(
        name=name, action_class=action_class, origin=Origin(file=shown, module=module.__name__)
    )


def _actions_of(module: ModuleType) -> Mapping[str, type[BaseAction[Any]]]:
    """Return the actions that a module defines, by their names in it."""
    found = {name: as_action(value) for name, value in vars(module).items()}
    return {
        name: action_class
        for name, action_class in found.items()
        if action_class is not None and action_class.__module__ == module.__name__
    }


def _no_action(
    attribute: str,
    found: object,
    actions: Mapping[str, Any],
    shown: str,
) -> NotFoundError:
    from handrail.steps import BaseStep  # noqa: PLC0415 - only for the error

    if isinstance(found, BaseStep) or (isinstance(found, type) and issubclass(found, BaseStep)):
        return NotFoundError(
            f"{shown}:{attribute} is a step; run takes an action",
            ways_out=(_how_to_make_one(shown, attribute),),
        )
    kind = type(found).__name__  # pyright: ignore[reportUnknownArgumentType]
    if found is not None:
        return NotFoundError(
            f"{shown}:{attribute} is no action but {kind}",
            ways_out=(_how_to_make_one(shown),),
        )
    listed = ", ".join(actions) or "none"
    return NotFoundError(
        f"{shown} has no action '{attribute}'",
        ways_out=(did_you_mean(attribute, actions), f"actions there: {listed}"),
    )


def _how_to_make_one(shown: str, step: str = "my_step") -> str:
    return f"make one in {shown}:  nightly = action('nightly', [{step}])"

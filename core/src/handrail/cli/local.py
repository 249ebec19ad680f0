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
    if head and looks_like_file(head):
        return _from_module(name, _import_file(head, session.folder), attribute, head)
    if looks_like_file(name):
        return _from_module(name, _import_file(name, session.folder), "", name)
    if head and session.packs.catalog.has_pack(head):
        return _installed(session, name)
    if head:
        return _from_module(name, _import_module(head, session.folder), attribute, head)
    return _installed(session, name)


def looks_like_file(name: str) -> bool:
    """Whether an action that is named so lies in a file rather than in a module."""
    return name.endswith(".py") or os.sep in name or name in (".", "..") or "/" in name


def _installed(session: Session, name: str) -> Target:
    if not name.strip(":"):
        raise NotFoundError("name an action", ways_out=("handrail actions lists the installed",))
    try:
        record, entry_point = session.packs.catalog.find("actions", name)
    except NotFoundError as error:
        if Path(f"{name}.py").is_file():
            ways_out = (f"or the file?  handrail run {name}.py:NAME", *error.ways_out)
            raise NotFoundError(error.message, ways_out=ways_out) from None
        raise
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


def _import_file(name: str, folder: Path) -> ModuleType:
    path = Path(name)
    if path.is_dir():
        raise LocalCodeError(
            f"{name} is a directory; run takes an action in a file",
            ways_out=(f"for example: handrail run {path / 'flows.py'}:NAME",),
        )
    if not path.exists():
        raise NotFoundError(
            f"there is no file {name} (looked in {folder})",
            ways_out=(_near_files(path),),
        )
    module_name = _module_name(path)
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    if spec is None or spec.loader is None:
        raise LocalCodeError(f"{name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.insert(0, beside)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        del sys.modules[module_name]
        raise _not_imported(name, path.resolve(), error) from error
    return module


def _module_name(path: Path) -> str:
    """Return the name of the file, or another one where that is taken, as that of json.py is."""
    name = path.stem.encode("utf-8", "replace").decode()
    known = sys.modules.get(name)
    same = known is not None and getattr(known, "__file__", None) == str(path.resolve())
    taken = known is not None or name in sys.stdlib_module_names
    return f"local_{name}" if taken and not same else name


def _near_files(path: Path) -> str:
    folder = path.parent
    names = [each.name for each in folder.glob("*.py")] if folder.is_dir() else []
    return did_you_mean(path.name, names)


def _import_module(name: str, folder: Path) -> ModuleType:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
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
                    f"searched: {folder} and the packages of {sys.prefix}",
                ),
            ) from None
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
    # A copy: looking at a value may import what fills the module further.
    found = {name: as_action(value) for name, value in dict(vars(module)).items()}
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

"""Exceptions as JSON, so that one that a step raises in its process can be raised in the run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

from handrail.errors import HandrailError, StepProcessError, describe
from handrail.journal import is_json


class StepTraceback(Exception):  # noqa: N818 - it is the cause of an error, and none itself
    """The traceback of an error in the process of a step; the cause of that error in the run.

    Attributes:
        text: The traceback.
        frames: The module, file, line and function of each of its frames, outermost first.
    """

    def __init__(self, text: str, frames: Iterable[Iterable[Any]]) -> None:
        super().__init__(text)
        self.text = text
        self.frames = tuple(tuple(each) for each in frames)

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def told(error: BaseException, names: Mapping[str, str]) -> dict[str, Any]:
    """Return an exception as JSON.

    Args:
        error: The exception.
        names: The names that modules have in the process of the run, where they differ.
    """
    import traceback  # noqa: PLC0415 - few processes tell of an error

    kind = type(error)
    state = {
        name: value for name, value in vars(error).items() if name != "__notes__" and is_json(value)
    }
    return {
        "module": names.get(kind.__module__, kind.__module__),
        "name": kind.__qualname__,
        "args": json.loads(json.dumps(error.args)) if is_json(error.args) else None,
        "state": state,
        "text": describe(error),
        "notes": [str(note) for note in getattr(error, "__notes__", ())],
        "trace": "".join(traceback.format_exception(error)),
        "frames": [_frame(*each) for each in traceback.walk_tb(error.__traceback__)],
    }


def _frame(frame: FrameType, line: int) -> tuple[str, str, int, str]:
    code = frame.f_code
    return str(frame.f_globals.get("__name__", "")), code.co_filename, line, code.co_name


def rebuilt(told: Mapping[str, Any]) -> BaseException:
    """Return the exception that was told, as far as its class can be found and made again."""
    error = _made_again(told)
    if error is None:
        name = told["name"] if told["module"] == "builtins" else f"{told['module']}.{told['name']}"
        error = StepProcessError(f"{name}: {told['text']}")
    for note in told["notes"]:
        error.add_note(note)
    error.__cause__ = StepTraceback(told["trace"], told["frames"])
    return error


def _made_again(told: Mapping[str, Any]) -> BaseException | None:
    found: Any = sys.modules.get(told["module"])
    for name in told["name"].split("."):
        found = getattr(found, name, None)
    args = told["args"]
    if not (isinstance(found, type) and issubclass(found, BaseException)) or args is None:
        return None
    try:
        error = found.__new__(found, *args)
        error.args = tuple(args)
        if isinstance(error, HandrailError):
            vars(error).update(message=told["text"], origin=None, ways_out=())
        vars(error).update(told["state"])
        if isinstance(error, SystemExit) and args:
            error.code = args[0]
        describe(error)
    except Exception:  # noqa: BLE001 - the class may have any code of its own
        return None
    if isinstance(error, HandrailError):
        error.ways_out = tuple(error.ways_out)
    return error

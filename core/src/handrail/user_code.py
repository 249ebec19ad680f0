"""Distinguishes user code from our own: functions that call user code are marked.

A signal may interrupt user code only. Code below a function of Handrail without a mark is the
engine's; so is that of a package in which `MARKS_USER_CODE` is defined, such as one that runs parts
of a run elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

MARKS = "MARKS_USER_CODE"
"""A name in packages whose functions are marked: a signal interrupts what these call."""

_MARK = "calls user code"
# Callbacks of weak references, like `__del__`: exceptions in them are lost.
_SWALLOWS = ("_weakrefset", "weakref")
# A module that is imported half way cannot be used, and its lock would stay taken.
_IMPORTS = ("importlib._bootstrap", "_frozen_importlib")
# Their locks and contexts are written in Python: an exception between two of its instructions may
# leave one taken for ever, or a thread that nobody knows of.
_LOCKING = ("threading", "queue", "logging", "contextlib", "concurrent", "multiprocessing")
_TAKING = ("__enter__", "__exit__", "acquire", "release", "_acquire_restore", "_release_save")


def calls_user_code(function: F) -> F:
    """Mark a function that calls user code, so that a signal may interrupt the called code.

    The function itself is not interrupted. The mark is one more constant of its code: a signal
    handler sees frames, which know their code but not their function, and a call costs no more.
    """
    marked = cast("Any", function)
    code: CodeType = marked.__code__
    marked.__code__ = code.replace(co_consts=(*code.co_consts, _MARK))
    return function


def is_user_code(frame: FrameType | None, *, rests: bool = False) -> bool:
    """Return whether a signal may interrupt `frame`: user code, below a marked function.

    The innermost function of Handrail on the stack decides. Without one, it is user code. What
    takes or gives back a lock, starts a thread or imports a module is not interrupted.

    Args:
        frame: The frame that a signal handler came upon.
        rests: Whether it was come upon at the same instruction before, so that it waits there.
    """
    top = frame
    if is_locking(frame, rests=rests):
        return False
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if _is_marked(module):
            return frame is not top and _MARK in frame.f_code.co_consts
        name = frame.f_code.co_name
        if name == "__del__" or module in _SWALLOWS or module in _IMPORTS:
            return False
        frame = frame.f_back
    return True


def _is_marked(module: str) -> bool:
    """Return whether what calls user code is marked in a module: in ours, or one that says so."""
    if module.startswith("handrail."):
        # The command line uses the engine like others: its output may block.
        return not module.startswith("handrail.builtin.cli")
    package = sys.modules.get(module.partition(".")[0])
    return MARKS in getattr(package, "__dict__", ())


def is_locking(frame: FrameType | None, *, rests: bool) -> bool:
    """Return whether a frame may be in the midst of a lock, or of the start of a thread.

    Args:
        frame: The frame that a signal handler came upon.
        rests: Whether it waits there, see `is_user_code`.
    """
    if frame is None:
        return False
    module, name = str(frame.f_globals.get("__name__")), frame.f_code.co_name
    if module.partition(".")[0] not in _LOCKING:
        return name in ("__enter__", "__exit__") and not rests
    if not rests or name in _TAKING:
        return True
    below: FrameType | None = frame
    while below is not None and below.f_globals.get("__name__") == "threading":
        if below.f_code.co_name == "start":
            return True
        below = below.f_back
    return False

"""Distinguishes user code from our own: functions that call user code are marked.

A signal may interrupt user code only. Code below a function of Handrail without a mark is the
engine's.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "calls user code"
# Callbacks of weak references, like `__del__`: exceptions in them are lost.
_SWALLOWS = ("_weakrefset", "weakref")


def calls_user_code(function: F) -> F:
    """Mark a function that calls user code, so that a signal may interrupt the called code.

    The function itself is not interrupted. The mark is one more constant of its code: a signal
    handler sees frames, which know their code but not their function, and a call costs no more.
    """
    marked = cast("Any", function)
    code: CodeType = marked.__code__
    marked.__code__ = code.replace(co_consts=(*code.co_consts, _MARK))
    return function


def is_user_code(frame: FrameType | None) -> bool:
    """Return whether `frame` runs user code: below a marked function, at any depth.

    The innermost function of Handrail on the stack decides. Without one, it is user code.
    """
    top = frame
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        # The command line uses the engine like others: its output may block.
        if module.startswith("handrail.") and not module.startswith("handrail.cli"):
            return frame is not top and _MARK in frame.f_code.co_consts
        if frame.f_code.co_name == "__del__" or module in _SWALLOWS:
            return False
        frame = frame.f_back
    return True

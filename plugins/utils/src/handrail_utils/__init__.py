"""Logging, timing, validation and retries for any Handrail step.

Names are imported on first use, because only retries need tenacity.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail_utils.log import LoggingStep as LoggingStep
    from handrail_utils.retry import AttemptUndoError as AttemptUndoError
    from handrail_utils.retry import RetryStep as RetryStep
    from handrail_utils.timing import TimingStep as TimingStep
    from handrail_utils.validation import ValidationStep as ValidationStep

__all__ = ["AttemptUndoError", "LoggingStep", "RetryStep", "TimingStep", "ValidationStep"]

_HOMES = {
    "AttemptUndoError": "retry",
    "LoggingStep": "log",
    "RetryStep": "retry",
    "TimingStep": "timing",
    "ValidationStep": "validation",
}

if not TYPE_CHECKING:

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})

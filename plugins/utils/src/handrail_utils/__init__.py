"""Logging, timing, validation and retries for any Handrail step.

Names are imported on first use, because only retries need tenacity.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail_utils.log import LoggingStep as LoggingStep
    from handrail_utils.retry import AttemptUndoError as AttemptUndoError
    from handrail_utils.retry import RetryStep as RetryStep
    from handrail_utils.timing import TimingStep as TimingStep
    from handrail_utils.validation import ValidationStep as ValidationStep

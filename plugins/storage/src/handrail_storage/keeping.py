"""KeepReplaced: how long a run keeps what it replaces, as a param."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from handrail_storage.duration import Duration, seconds_of

_WORDS = {"true": True, "false": False}
_LONGEST = 36_500 * 86_400  # Seconds. A moment that is much later has no date.


def _kept_for(value: Any) -> Any:
    """Return whether, or for how long, something is kept.

    Raises:
        ValueError: It is neither, or no time at all.
    """
    known = _WORDS.get(value.strip().lower()) if isinstance(value, str) else value
    if isinstance(known, bool):
        return known
    try:
        seconds = float(seconds_of(value))
    except (TypeError, ValueError):
        raise ValueError(
            "is not a duration, such as 12h or 30d; without one, no other word may follow"
        ) from None
    if not 0 < seconds <= _LONGEST:
        raise ValueError(
            "takes a duration of up to 36500d; without one, what is replaced is kept until the run "
            "is pruned, and --no-keep-replaced keeps nothing"
        )
    return Duration(seconds)


KeepReplaced = Annotated[bool | Duration, BeforeValidator(_kept_for)]
"""Whether what is replaced is kept until the run is pruned, or for how long: `30d`, `12h`."""

"""Duration: seconds in params, written as people write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WRITTEN = r"(?P<count>[0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?P<unit>[smhd]?)"


class Duration(float):
    """Seconds, for a field of params: `90s`, `10m`, `2h`, `1d`, or a number of seconds."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the duration in the largest unit that leaves no remainder: `10m`, `90s`."""
        fitting = (unit for unit in "dhm" if self and not self % _UNITS[unit])
        unit = next(fitting, "s")
        # Not in the format g, which would round what comes back from a journal.
        count = f"{self / _UNITS[unit]:.9f}".rstrip("0").rstrip(".")
        return f"{count}{unit}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - loaded with a params model

        seconds = core_schema.float_schema(ge=0, allow_inf_nan=False)
        read = core_schema.no_info_before_validator_function(seconds_of, seconds)
        # As text in a journal, where people read it.
        written = core_schema.to_string_ser_schema(when_used="json")
        return core_schema.no_info_after_validator_function(cls, read, serialization=written)


def seconds_of(value: Any) -> Any:
    """Return the seconds of a text.

    Raises:
        ValueError: The text is not a duration.
    """
    if not isinstance(value, str):
        return value
    found = re.fullmatch(_WRITTEN, value.strip())
    if found is None:
        raise ValueError("is not a duration, such as 90s, 10m or 2h")
    return float(found["count"]) * _UNITS[found["unit"]]

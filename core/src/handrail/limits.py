"""Limits on an attempt of a step, and the policy for its undo: values, declared by the step."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypedDict, cast

from handrail.errors import InvalidStepError
from handrail.frozen import frozen, replace, values_of

_PREFIX = "rollback_"


@frozen
class Limits:
    """The limits on one attempt of a step.

    An attempt is one call of `execute` or `resume`: where a layer tries again, each try has the
    full time. A limit that is None does not apply.

    Attributes:
        timeout: Seconds that it may take.
        heartbeat_timeout: Seconds that may pass without a call of `context.log`, `set_progress`,
            `set_status`, `set_metrics`, `attach` or `record_rollback`.
        isolated: Whether it runs in a process of its own, which can be killed.
        grace: Seconds to clean up, once its time is over, before it is interrupted again or killed.
        memory: Bytes of memory that it may use, or a text such as `2GB` or `512MiB`; for isolated
            steps only.

    Raises:
        InvalidStepError: A value is not valid.
    """

    timeout: float | None = None
    heartbeat_timeout: float | None = None
    isolated: bool = False
    grace: float = 5.0
    memory: int | str | None = None

    def __post_init__(self) -> None:
        _check_seconds("timeout", self.timeout)
        _check_seconds("heartbeat_timeout", self.heartbeat_timeout)
        _check_seconds("grace", self.grace, from_zero=True)
        if not isinstance(cast("object", self.isolated), bool):
            raise InvalidStepError(f"isolated is {self.isolated!r}; it must be True or False")
        if self.memory is not None:
            bytes_of(self.memory)
            if not self.isolated:
                raise InvalidStepError(
                    "memory can be limited only for an isolated step",
                    ways_out=("set isolated too: @step(isolated=True, memory='2GB')",),
                )

    @property
    def memory_bytes(self) -> int | None:
        """The memory limit in bytes, or None."""
        return None if self.memory is None else bytes_of(self.memory)

    @property
    def timed(self) -> bool:
        """Whether there is a time limit."""
        return self.timeout is not None or self.heartbeat_timeout is not None

    @property
    def watched(self) -> bool:
        """Whether a driver has to watch the time; that of an isolated step is watched anyway."""
        return self.timed and not self.isolated

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: what differs from the defaults."""
        return _changed(self, NO_LIMITS)

    def __str__(self) -> str:
        return _shown(self.to_dict())


@frozen
class RollbackPolicy:
    """The policy for the undo of a step.

    Attributes:
        timeout: Seconds that one call of `rollback` may take; None for no limit.
        retries: How often a `rollback` that failed is called again.
        wait: Seconds before the first further call; twice as long before each next one.

    Raises:
        InvalidStepError: A value is not valid.
    """

    timeout: float | None = None
    retries: int = 0
    wait: float = 1.0

    def __post_init__(self) -> None:
        _check_seconds(f"{_PREFIX}timeout", self.timeout)
        _check_seconds(f"{_PREFIX}wait", self.wait, from_zero=True)
        if type(self.retries) is not int or self.retries < 0:
            raise InvalidStepError(
                f"{_PREFIX}retries is {self.retries!r}; it must be a whole number from 0 on"
            )

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: what differs from the defaults."""
        return _changed(self, NO_POLICY)

    def __str__(self) -> str:
        return _shown(self.to_dict(), "undo ")


def _check_seconds(name: str, value: object, *, from_zero: bool = False) -> None:
    if value is None and not from_zero:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0 <= cast("float", value) < math.inf and (value or from_zero):
        return
    least = "from 0 on" if from_zero else "above 0"
    raise InvalidStepError(f"{name} is {value!r}; it must be a number of seconds {least}")


def bytes_of(size: int | str) -> int:
    """Return the bytes of a size such as `2GB`.

    Raises:
        InvalidStepError: It is no size.
    """
    given = cast("object", size)
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return given
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b\s*", str(given).lower())
    found = 0
    if match is not None:
        power = " kmgt".index(match[2] or " ")
        found = int(float(match[1]) * (1024 if match[3] else 1000) ** power)
    if found <= 0:
        raise InvalidStepError(
            f"memory is {size!r}; it must be a number of bytes, or a text such as '2GB' or '512MiB'"
        )
    return found


def _changed(value: object, usual: object) -> dict[str, object]:
    standard = values_of(usual)
    return {name: each for name, each in values_of(value).items() if each != standard[name]}


def _shown(changed: Mapping[str, object], prefix: str = "") -> str:
    return ", ".join(
        f"{prefix}{name}" if value is True else f"{prefix}{name} {value}"
        for name, value in changed.items()
    )


NO_LIMITS = Limits()
"""The limits of a step that declares none."""

NO_POLICY = RollbackPolicy()
"""The policy of a step that declares none."""


class StepLimits(TypedDict, total=False):
    """The fields of `Limits` and of `RollbackPolicy`, as keywords of `@step`."""

    timeout: float | None
    heartbeat_timeout: float | None
    isolated: bool
    grace: float
    memory: int | str | None
    rollback_timeout: float | None
    rollback_retries: int
    rollback_wait: float


LIMITS = tuple(StepLimits.__annotations__)


def changed_by(
    limits: Limits, policy: RollbackPolicy, settings: Mapping[str, Any]
) -> tuple[Limits, RollbackPolicy]:
    """Return the limits and the policy with some values changed.

    Args:
        limits: The limits.
        policy: The policy.
        settings: Values by the keywords of `@step`, such as `timeout` and `rollback_retries`.

    Raises:
        InvalidStepError: A value is not valid.
    """
    undo = {name: value for name, value in settings.items() if name.startswith(_PREFIX)}
    own = {name: value for name, value in settings.items() if name not in undo}
    retried = {name.removeprefix(_PREFIX): value for name, value in undo.items()}
    return (
        replace(limits, **own) if own else limits,
        replace(policy, **retried) if retried else policy,
    )

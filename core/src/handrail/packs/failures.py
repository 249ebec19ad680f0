"""Combines errors of several packs into one, and splits an error into problems."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.errors import HandrailError, PackError, Problem, SettingsError
from handrail.own_points import CORE
from handrail.packs.record import PackRecord


def settings_error(problems: Sequence[Problem]) -> SettingsError:
    """Return one error for `problems`."""
    count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
    return SettingsError(f"{count} cannot be used", problems=problems)


def unusable_pack(record: PackRecord) -> PackError:
    """Return the error for a pack that is broken or incompatible with this core."""
    fits = record.status != "incompatible"
    what = f"is {record.status}" if fits else f"does not fit this {CORE}"
    return PackError(f"{record.origin} {what}: {record.why}", problems=record.problems)


def joined(errors: Sequence[PackError | SettingsError]) -> PackError | SettingsError:
    """Return one error with all problems: a PackError if there is any, else a SettingsError."""
    problems = [problem for error in errors for problem in problems_of(error)]
    broken = [error for error in errors if isinstance(error, PackError)]
    if not broken:
        return settings_error(problems)
    count = "1 pack" if len(broken) == 1 else f"{len(broken)} packs"
    joined = PackError(f"{count} cannot be used; nothing was planned", problems=problems)
    joined.__cause__ = next((error.__cause__ for error in broken if error.__cause__), None)
    return joined


def problems_of(error: HandrailError) -> tuple[Problem, ...]:
    """Return the problems of an error, or the error itself converted to a problem."""
    if isinstance(error, PackError | SettingsError) and error.problems:
        return error.problems
    place = error.origin.place if error.origin else ""
    return (
        Problem(
            code=error.code,
            message=error.message,
            origins=(error.origin,) if error.origin else (),
            details=(place,) if place else (),
            ways_out=error.ways_out,
        ),
    )

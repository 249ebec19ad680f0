"""Imports the objects of entry points of packs, and makes the errors about packs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any

from handrail.errors import HandrailError, PackError, Problem, SettingsError, describe
from handrail.frozen import replace
from handrail.origin import Origin, raised_at, source_of
from handrail.packs.record import PREFIX, EntryPoint, PackRecord, ways_out


def import_target(record: PackRecord, entry_point: EntryPoint) -> Any:
    """Import and return the object of a pack's entry point.

    Raises:
        PackError: The object cannot be imported or does not exist; `__cause__` is the error.
    """
    kind = entry_point.group.removeprefix(PREFIX)
    what = f"{'hooks' if kind.startswith('packs') else kind} {entry_point.name}"
    try:
        found: Any = import_module(entry_point.module)
        for name in entry_point.attribute.split(".") if entry_point.attribute else ():
            found = getattr(found, name)
    except (Exception, SystemExit) as error:
        message = (
            f"{record.origin}: {what} ({entry_point.value}) cannot be imported: "
            f"{type(error).__name__}: {describe(error)}"
        )
        origin = replace(_place(error, entry_point), pack=record.id, version=record.version)
        raise pack_error(message, origin) from error
    return found


def ways_out_of(pack: Origin) -> tuple[str, ...]:
    """Return ways out for a problem with `pack`; none for an object that is not installed."""
    return ways_out(pack.pack) if pack.pack and pack.version else ()


def pack_error(message: str, origin: Origin, *ways: str) -> PackError:
    """Return an error about a pack; the last ways out are those of every pack."""
    return PackError(message, origin=origin, ways_out=(*ways, *ways_out_of(origin)))


def _place(error: BaseException, entry_point: EntryPoint) -> Origin:
    """Return the origin of an import error: the last line in the pack's own code."""
    top = entry_point.module.partition(".")[0]

    def is_own(frame: FrameType) -> bool:
        return str(frame.f_globals.get("__name__", "")).partition(".")[0] == top

    found = raised_at(error, is_own) or Origin()
    module = found.module or entry_point.module
    return replace(found, module=module, file=found.file and source_of(found.module, found.file))


def settings_error(problems: Sequence[Problem]) -> SettingsError:
    """Return one error for `problems`."""
    count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
    return SettingsError(f"{count} cannot be used", problems=problems)


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

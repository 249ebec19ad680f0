"""What the pack does in a run: it lets a thread follow it, if there is somebody to tell.

This is imported only where a variable names somebody, or the project has settings for the pack; see
`handrail.packs_if_set` in `pyproject.toml`. Nothing else is until a run is followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail import PackInfo, hookimpl
from handrail.events import RunFinished, RunStarted, StopObserving
from handrail_otel.settings import OtelSettings, exports_anything

if TYPE_CHECKING:
    from handrail.events import Event


@hookimpl
def pack_info() -> PackInfo:
    """Say what may be set."""
    return PackInfo(settings=OtelSettings)


@hookimpl
def observe(event: Event, settings: OtelSettings) -> None:
    """Let a thread follow a run from its start until its end; leave all other events alone.

    Raises:
        StopObserving: Nobody is to be told of the run, or it has no journal, from which spans are
            made.
    """
    if isinstance(event, RunStarted):
        if event.journal is None or event.number is None or not exports_anything(settings):
            raise StopObserving
        # Nothing of OpenTelemetry is imported before there is something to follow.
        from handrail_otel.following import started  # noqa: PLC0415

        started(event.journal, event.number, settings)
    elif isinstance(event, RunFinished):
        from handrail_otel.following import finished  # noqa: PLC0415 - it is there

        finished()

"""What the pack does in a run: it lets a thread follow it, if there is somebody to tell.

Nothing else of the pack, and nothing of OpenTelemetry, is imported if no endpoint is set.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from handrail import PackInfo, hookimpl
from handrail.events import RunFinished, RunStarted
from handrail_otel.settings import OtelSettings, exports_anything

if TYPE_CHECKING:
    from handrail.events import Event

_FOLLOWING = "handrail_otel.following"


@hookimpl
def pack_info() -> PackInfo:
    """Say what may be set."""
    return PackInfo(settings=OtelSettings)


@hookimpl
def observe(event: Event, settings: OtelSettings) -> None:
    """Let a thread follow a run from its start until its end; leave all other events alone."""
    kind = type(event)
    if kind is RunStarted:
        _started(event, settings)
    elif kind is RunFinished and (following := sys.modules.get(_FOLLOWING)) is not None:
        following.finished()


def _started(event: Any, settings: OtelSettings) -> None:
    # Without a journal there is nothing from which spans could be made.
    if event.journal is not None and exports_anything(settings):
        from handrail_otel.following import started  # noqa: PLC0415 - nothing is imported if off

        started(event, settings)

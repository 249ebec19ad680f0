"""Follows pages: looks whether the journal was written to, and sends the sections that changed.

Nobody polls the journal while nobody looks.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

from anyio import to_thread

from handrail.frozen import frozen

if TYPE_CHECKING:
    from handrail_web.pages import View

PAUSE = 0.25  # Seconds between two looks.
_CLOCK = 1.0  # Seconds after which a page is rendered again while its runs are at work.
_SHARE = 3  # Rendering takes at most a quarter of the time.
_SILENCE = 15.0  # Seconds after which a stream says that it is still there.


@frozen
class _Rendered:
    """What was rendered of a page: by which stamp of the journal, when, and how long it took."""

    view: View
    stamp: str | None
    at: float
    took: float


class Live:
    """Renders pages when there is something new on them.

    Args:
        view: Renders the page at an address.
        stamp: Returns a text that changes whenever a page may have changed; None if it is unknown.
    """

    def __init__(self, view: Callable[[str], View], stamp: Callable[[], str | None]) -> None:
        self._view = view
        self._stamp = stamp
        self._id = secrets.token_hex(8)
        self._stopping = False

    def stop(self) -> None:
        """End all streams soon. It may be called by a signal handler."""
        self._stopping = True

    async def events(self, address: str) -> AsyncIterator[str]:
        """Yield server-sent events: the whole of a page first, then what changes.

        `hello` has the identity of this server; `change` the title of the page, its icon, the ids
        of its sections in order, and the sections that changed.
        """
        yield "retry: 500\n\n"
        yield _event("hello", {"server": self._id})
        known: _Rendered | None = None
        told = time.monotonic()
        while not self._stopping:
            began = time.monotonic()
            # Looked at first: what is written while it is rendered is news for the next look.
            stamp = await to_thread.run_sync(self._stamp)
            if known is None or _is_due(known, stamp, began):
                view = await to_thread.run_sync(self._view, address)
                change = _change(None if known is None else known.view, view)
                took = time.monotonic() - began
                known = _Rendered(view=view, stamp=stamp, at=began, took=took)
                if change is not None:
                    told = began
                    yield _event("change", change)
            if began - told > _SILENCE:
                told = began
                yield ": still here\n\n"
            await asyncio.sleep(max(0.01, PAUSE - (time.monotonic() - began)))


def _is_due(known: _Rendered, stamp: str | None, now: float) -> bool:
    age = now - known.at
    if age < known.took * _SHARE:
        return False
    if stamp is None or stamp != known.stamp:
        return True
    # The clocks of runs tick, and their processes may die, without anything being written.
    return known.view.moves and age >= _CLOCK


def _change(last: View | None, view: View) -> Mapping[str, object] | None:
    """Return what has changed on a page, or None."""
    known: Mapping[str, str] = {} if last is None else last.sections
    changed = {name: html for name, html in view.sections.items() if known.get(name) != html}
    order = list(view.sections)
    if last is not None and not changed and (last.title, list(known)) == (view.title, order):
        return None
    return {"title": view.title, "icon": view.icon, "order": order, "sections": changed}


def _event(name: str, document: Mapping[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n"

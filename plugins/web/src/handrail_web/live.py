"""Follows pages: looks whether the journal was written to, and sends the sections that changed.

Nobody polls the journal while nobody looks. All streams share what was rendered last.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

from anyio import to_thread

from handrail.frozen import record

if TYPE_CHECKING:
    from handrail_web.pages import View

PAUSE = 0.25  # Seconds between two looks.
_CLOCK = 1.0  # Seconds after which a page is rendered again while its runs are at work.
_SHARE = 3  # Rendering takes at most a quarter of the time.
_SILENCE = 15.0  # Seconds after which a stream says that it is still there.
_FORGOTTEN = 60.0


@record
class _Rendered:
    """What was rendered of a page."""

    view: View
    stamp: str | None
    looked: float
    rendered: float
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
        self._rendered: dict[str, _Rendered] = {}
        self._turns: dict[str, asyncio.Lock] = {}
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
        sent: View | None = None
        told = time.monotonic()
        while not self._stopping:
            began = time.monotonic()
            view = await self._current(address)
            change = _change(sent, view)
            sent = view
            if change is not None:
                told = began
                yield _event("change", change)
            if began - told > _SILENCE:
                told = began
                yield ": still here\n\n"
            await asyncio.sleep(max(0.01, PAUSE - (time.monotonic() - began)))

    async def _current(self, address: str) -> View:
        async with self._turns.setdefault(address, asyncio.Lock()):
            known, now = self._rendered.get(address), time.monotonic()
            if known is not None and now - known.looked < PAUSE / 2:
                return known.view  # Another stream has just looked.
            # Looked at first: what is written while it is rendered is news for the next look.
            stamp = await to_thread.run_sync(self._stamp)
            if known is not None and not _is_due(known, stamp, now):
                known.looked = now
                return known.view
            view = await to_thread.run_sync(self._view, address)
            took = time.monotonic() - now
            self._forget(now)
            self._rendered[address] = _Rendered(view, stamp, now, now, took)
            return view

    def _forget(self, now: float) -> None:
        for address, known in list(self._rendered.items()):
            if now - known.looked > _FORGOTTEN and not self._turns[address].locked():
                del self._rendered[address], self._turns[address]


def _is_due(known: _Rendered, stamp: str | None, now: float) -> bool:
    age = now - known.rendered
    if age < known.took * _SHARE:
        return False
    if stamp is None or stamp != known.stamp:
        return True
    # The clocks of runs tick, and their processes may die, without anything being written.
    return known.view.moves and age >= _CLOCK


def _change(last: View | None, view: View) -> Mapping[str, object] | None:
    """Return what has changed on a page, or None."""
    if last is view:
        return None
    known: Mapping[str, str] = {} if last is None else last.sections
    changed = {name: html for name, html in view.sections.items() if known.get(name) != html}
    order = list(view.sections)
    if last is not None and not changed and (last.title, list(known)) == (view.title, order):
        return None
    return {"title": view.title, "icon": view.icon, "order": order, "sections": changed}


def _event(name: str, document: Mapping[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n"

"""The stream: everything first, then what changes, and nothing while nothing does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from recorded_runs import Journal, done, planned, started

from handrail.journal import AttemptChange, RunChange
from handrail_report import Markup
from handrail_web.app import Site
from handrail_web.live import Live
from handrail_web.pages import View


def parsed(event: str) -> tuple[str, dict[str, Any]]:
    """Return the name of an event and its document."""
    fields = dict(line.split(": ", 1) for line in event.strip().split("\n"))
    return fields["event"], json.loads(fields["data"])


async def changes(
    live: Live, address: str, count: int, then: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Return the first changes of a stream; `then` is called with how many there were."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        async for event in live.events(address):
            if event.startswith("event: change"):
                found.append(parsed(event)[1])
                then(len(found))
                if len(found) == count:
                    break
    return found


class Source:
    """Pages that change when they are told to; it counts what is asked of them."""

    def __init__(self, *, moves: bool = False) -> None:
        self.version = 0
        self.rendered = 0
        self.looks = 0
        self.moves = moves

    def stamp(self) -> str:
        self.looks += 1
        return str(self.version)

    def view(self, address: str) -> View:
        self.rendered += 1
        new = f"{self.version}{self.rendered if self.moves else ''}"
        sections = {
            "same": Markup(f'<section id="same">{address}</section>'),
            "new": Markup(f'<section id="new">{new}</section>'),
        }
        return View(title=f"v{self.version}", sections=sections, moves=self.moves)


def test_the_whole_page_comes_first_and_then_what_changed() -> None:
    source = Source()
    live = Live(source.view, source.stamp)

    def go_on(_count: int) -> None:
        source.version += 1

    first, second = asyncio.run(changes(live, "/", 2, go_on))
    assert list(first["sections"]) == ["same", "new"]
    assert (second["title"], second["order"]) == ("v1", ["same", "new"])
    assert second["sections"] == {"new": '<section id="new">1</section>'}


def test_nothing_is_rendered_while_nothing_is_written() -> None:
    source = Source()
    live = Live(source.view, source.stamp)

    def write_late(count: int) -> None:
        if count == 1:
            asyncio.get_running_loop().call_later(1.0, go_on)

    def go_on() -> None:
        source.version += 1

    asyncio.run(changes(live, "/", 2, write_late))
    assert source.rendered == 2
    # And it is looked at four times a second at most.
    assert source.looks >= 2


def test_a_page_is_rendered_at_most_four_times_a_second_however_much_is_written() -> None:
    source = Source()
    live = Live(source.view, source.stamp)

    async def follow() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def write() -> None:
            while True:
                source.version += 1
                await asyncio.sleep(0.001)

        writer = asyncio.create_task(write())
        await changes(live, "/", 6, lambda _: None)
        writer.cancel()
        return loop.time() - began

    took = asyncio.run(follow())
    # Six renderings have five pauses between them; a slow machine only makes these longer.
    assert took >= 5 * 0.25 * 0.95
    assert source.rendered == 6


def test_the_clock_of_a_run_at_work_ticks() -> None:
    source = Source(moves=True)
    live = Live(source.view, source.stamp)
    found = asyncio.run(changes(live, "/", 3, lambda _: None))
    assert [list(each["sections"]) for each in found[1:]] == [["new"], ["new"]]


def test_a_stream_ends_when_the_server_does() -> None:
    source = Source()
    live = Live(source.view, source.stamp)

    async def follow() -> list[str]:
        async with asyncio.timeout(60):
            return [event async for event in live.events("/") if live.stop() is None]

    events = asyncio.run(follow())
    assert events[0].startswith("retry:")
    assert parsed(events[1])[0] == "hello"


def test_a_run_is_followed_to_its_end(site: Callable[..., Site], journal: Journal) -> None:
    number = journal.add([planned("scan"), planned("send")], started("scan"), dead=False)
    (owned,) = journal.opened[0]._owned
    made = site()

    def go_on(count: int) -> None:
        if count == 1:
            owned.write([done("scan"), AttemptChange("send", 1, "started")])
        else:
            owned.write([done("send"), RunChange(outcome="completed")])

    async def follow() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            async for event in made.live.events(f"/runs/{number}"):
                if event.startswith("event: change"):
                    found.append(parsed(event)[1])
                    if "completed" in found[-1]["title"]:
                        break
                    go_on(len(found))
        return found

    found = asyncio.run(follow())
    assert found[0]["icon"] == "busy"
    assert found[-1]["icon"] == "good"
    assert found[-1]["title"].startswith(f"✓ run {number} completed")
    assert "outcome" in found[-1]["sections"]


def test_a_run_that_is_not_there_yet_is_followed(
    site: Callable[..., Site], journal: Journal
) -> None:
    made = site()

    def begin(count: int) -> None:
        if count == 1:
            journal.add([planned("scan")], done("scan"), outcome="completed")

    first, second = asyncio.run(changes(made.live, "/", 2, begin))
    assert "No runs yet" in first["sections"]["list"]
    assert "completed" in second["sections"]["list"]

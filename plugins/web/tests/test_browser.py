"""The page in a real browser: it follows runs, and asks nobody else for anything."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from recorded_runs import Journal, done, ended, planned, started
from servers.missing import missing, need_module
from sites import FLOW, Server, until

from handrail.journal import AttemptChange, ChunkChange, KeptRow, RunChange

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import BrowserContext, Page, Request

pytestmark = pytest.mark.slow

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic"),
    *("--no-first-run", "--disable-sync"),
]
# Counts redraws, which are what happens to the page between two looks of the browser, and streams.
WATCH = """
    window.redraws = 0;
    window.streams = [];
    window.EventSource = class extends EventSource {
        constructor(address) {
            super(address);
            window.streams.push(this);
        }
    };
    addEventListener("DOMContentLoaded", () => {
        new MutationObserver(() => window.redraws++).observe(
            document.getElementById("page"),
            {subtree: true, childList: true, attributes: true, characterData: true});
    });
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Debian's Chromium, without a window."""
    need_module("playwright", "playwright")
    path = shutil.which("chromium")
    if path is None:
        missing("chromium", "the Debian package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Tabs:
    """Tabs of one browser, with what they have asked for and complained of.

    Attributes:
        context: The browser, as if it were new.
        asked: The addresses of all requests.
        complaints: Errors of scripts, and refusals of the policy.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.asked: list[str] = []
        self.complaints: list[str] = []
        context.add_init_script(WATCH)
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def streams(self) -> int:
        """Return how many streams are open in all tabs."""
        count = "window.streams.filter(each => each.readyState < EventSource.CLOSED).length"
        return sum(page.evaluate(count) for page in self.context.pages)

    def _console(self, message: Any) -> None:
        # While the server is away, each try to reach it is an error of the network.
        if message.type in ("error", "warning") and "net::ERR" not in message.text:
            self.complaints.append(message.text)

    def open(self, address: str) -> Page:
        """Open a page in a tab of its own."""
        page = self.context.new_page()
        page.goto(address)
        return page


@pytest.fixture
def tabs(chromium: Chromium) -> Iterator[Tabs]:
    """Tabs of a browser that is new; none may complain, or ask another server for anything."""
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    found = Tabs(context)
    yield found
    context.close()
    assert found.complaints == []
    assert {address.split("/")[2].rpartition(":")[0] for address in found.asked} == {"127.0.0.1"}


def root_of(page: Page) -> str:
    """Return the address of the list of runs, without the token."""
    return page.url.partition("?")[0].rstrip("/")


def says(page: Page, text: str) -> None:
    """Wait until the page has a text."""
    page.wait_for_function(
        "text => document.body?.textContent.includes(text) || document.title.includes(text)",
        arg=text,
    )


HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_of_ten_tabs_the_one_that_is_seen_has_a_stream(
    tabs: Tabs, serve: Callable[..., Server], journal: Journal
) -> None:
    number = journal.add([planned("scan"), planned("send")], started("scan"), dead=False)
    (owned,) = journal.opened[0]._owned
    first = tabs.open(serve().address)
    says(first, "live")
    run = f"{root_of(first)}/runs/{number}"
    pages = [first]
    for _ in range(9):
        pages[-1].evaluate(HIDE, True)
        pages.append(tabs.open(run))
        says(pages[-1], "live")
    until(lambda: tabs.streams() == 1)
    owned.write([ended("scan", "failed", error="ValueError: it is broken")])
    says(pages[-1], "it is broken")
    owned.write([RunChange(outcome="failed")])
    pages[-1].evaluate(HIDE, True)
    pages[1].evaluate(HIDE, False)
    says(pages[1], f"✗ run {number} failed (kept)")
    icon = pages[1].get_attribute("link[rel=icon]", "href")
    assert icon is not None
    assert icon.endswith("/icon/bad.svg")
    until(lambda: tabs.streams() == 1)


def test_a_thousand_commits_a_second_are_four_redraws_a_second(
    tabs: Tabs, serve: Callable[..., Server], project: Path, journal: Journal
) -> None:
    journal.opened[0]._database._connection.execute("PRAGMA synchronous = off")
    names = [f"step_{number}" for number in range(4000)]
    number = journal.add([planned(name) for name in names], dead=False)
    (owned,) = journal.opened[0]._owned
    first = tabs.open(serve().address)
    page = tabs.open(f"{root_of(first)}/runs/{number}")
    says(page, "live")
    began, before = time.monotonic(), page.evaluate("window.redraws")

    def work() -> None:
        for place, name in enumerate(names):
            owned.write([AttemptChange(name, 1, "started"), done(name)])
            time.sleep(max(0.0, began + place / 1000 - time.monotonic()))

    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        page.wait_for_timeout(100)  # Lets the browser speak while the run works.
    worker.join()
    redraws = page.evaluate("window.redraws") - before
    took = time.monotonic() - began
    assert 0 < redraws <= took * 4 + 1
    owned.write([RunChange(outcome="completed")])
    says(page, "✓ run")
    assert page.evaluate("document.querySelectorAll('*').length") < 1500


def test_a_run_of_100_000_items_stays_small(
    tabs: Tabs, serve: Callable[..., Server], journal: Journal
) -> None:
    changes = [
        ChunkChange("scan", 1, number, 0, number * 100, 100, 1, "done", 7, failed=number % 2)
        for number in range(1000)
    ]
    number = journal.add([planned("scan")], started("scan"), *changes, dead=False)
    first = tabs.open(serve().address)
    page = tabs.open(f"{root_of(first)}/runs/{number}")
    says(page, "99,500")
    assert page.evaluate("document.querySelectorAll('*').length") < 1500


def logged(*numbers: int) -> KeptRow:
    """Return lines of a log, each with a number."""
    lines = [[1_795_000_000_000 + each, "sent", {"n": each}, None] for each in numbers]
    value = json.dumps({"first": numbers[0], "lines": lines})
    return KeptRow("scan", 1, "log", "", 0, value, "2026-11-28T04:01:00.000Z")


def test_a_search_in_logs_goes_on_while_they_grow(
    tabs: Tabs, serve: Callable[..., Server], journal: Journal
) -> None:
    """With the script of reports, which comes from the server: what is new is searched, too."""
    number = journal.add([planned("scan")], started("scan"), dead=False)
    (owned,) = journal.opened[0]._owned
    owned.keep([logged(1, 2, 3)])
    first = tabs.open(serve().address)
    page = tabs.open(f"{root_of(first)}/runs/{number}")
    says(page, "live")
    box = page.get_by_role("searchbox")
    box.fill("n=3")
    found = page.locator("#logs output")
    assert found.text_content() == "1 of 3 lines"
    owned.keep([logged(1, 2, 3, 4, 33)])
    says(page, "2 of 5 lines")
    assert page.locator("#logs .log").inner_text().count("sent") == 2
    assert box.input_value() == "n=3"
    assert page.evaluate("document.activeElement.type") == "search"
    box.fill("")
    assert (page.locator("#logs .log").text_content() or "").count("sent") == 5


def test_a_log_that_a_link_has_opened_stays_open(
    tabs: Tabs, serve: Callable[..., Server], journal: Journal
) -> None:
    number = journal.add([planned("scan")], started("scan"), dead=False)
    (owned,) = journal.opened[0]._owned
    owned.keep([logged(1, 2, 3)])
    owned.write([done("scan")])
    first = tabs.open(serve().address)
    page = tabs.open(f"{root_of(first)}/runs/{number}#log-scan-2")
    says(page, "live")
    owned.write([RunChange(outcome="completed")])
    says(page, f"✓ run {number}")
    assert page.locator("#log-scan-2").is_visible()


def test_what_one_does_with_a_page_is_kept_while_it_changes(
    tabs: Tabs, serve: Callable[..., Server], journal: Journal
) -> None:
    """Nothing jumps: rows are the same elements, what is chosen stays, what was opened, too."""
    journal.add([planned("scan")], done("scan"), outcome="completed")
    page = tabs.open(serve().address)
    says(page, "live")
    page.check("input[name=run]")
    page.fill("input[name=text]", "some")
    page.evaluate("window.row = document.getElementById('run-1')")
    journal.add([planned("scan")], done("scan"), outcome="completed", action="another")
    says(page, "another")
    assert page.evaluate("window.row === document.getElementById('run-1')")
    assert page.is_checked("#run-1 input")
    assert page.input_value("input[name=text]") == "some"
    assert not page.is_checked("#run-2 input")
    page.check("#run-2 input")
    page.click("text=Compare")
    says(page, "compare")


def test_a_tab_that_nobody_sees_does_nothing(
    tabs: Tabs, serve: Callable[..., Server], journal: Journal
) -> None:
    page = tabs.open(serve().address)
    says(page, "live")
    page.evaluate(HIDE, True)
    until(lambda: tabs.streams() == 0)
    redraws = page.evaluate("window.redraws")
    journal.add([planned("scan")], done("scan"), outcome="completed", action="unseen")
    page.wait_for_timeout(600)
    assert tabs.streams() == 0
    assert page.evaluate("window.redraws") == redraws
    page.evaluate(HIDE, False)
    says(page, "unseen")


def test_a_page_finds_its_way_back_when_the_server_starts_again(
    tabs: Tabs, serve: Callable[..., Server], journal: Journal
) -> None:
    server = serve()
    page = tabs.open(server.address)
    says(page, "live")
    server.process.kill()
    server.process.wait(timeout=60)
    says(page, "cannot be reached")
    journal.add([planned("scan")], done("scan"), outcome="completed", action="meanwhile")
    serve(port=server.port)
    says(page, "the server was restarted")
    says(page, "meanwhile")


def test_a_tab_that_was_sent_away_and_let_in_again_has_one_stream(
    tabs: Tabs, serve: Callable[..., Server]
) -> None:
    """The try that it had put off finds a stream that is open, and leaves it alone."""
    page = tabs.open(serve().address)
    says(page, "live")
    page.evaluate(HIDE, True)
    page.route("**/live?*", lambda route: route.fulfill(status=204))
    page.evaluate(HIDE, False)
    says(page, "does not know this browser")
    page.evaluate(HIDE, True)
    page.unroute("**/live?*")
    page.evaluate(HIDE, False)
    says(page, "live")
    page.wait_for_timeout(5_500)
    assert tabs.streams() == 1


def test_a_run_is_rolled_back_through_the_page(
    tabs: Tabs, serve: Callable[..., Server], project: Path
) -> None:
    (project / "flows.py").write_text(FLOW)
    (project / "good").touch()
    words = [sys.executable, "-m", "handrail", "run", "flows.py:job"]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    page = tabs.open(serve("--allow-changes").address)
    page.click("#run-1 a")
    page.click("text=Undo...")
    says(page, "files: 3")
    page.click(".answers >> text=No")
    assert len(list(project.glob("made-*"))) == 3
    page.click("text=Undo...")
    page.click("button:has-text('Yes')")
    says(page, "↶ run 1 rolled back")
    assert not list(project.glob("made-*"))


def test_a_run_is_stopped_through_the_page(
    tabs: Tabs, serve: Callable[..., Server], project: Path
) -> None:
    """It is told in a list and by its page what it does; then it is undone."""
    (project / "flows.py").write_text(FLOW)
    (project / "undo").touch()
    words = [sys.executable, "-m", "handrail", "run", "flows.py:slow"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        until((project / "waiting").exists)
        page = tabs.open(serve("--allow-changes").address)
        says(page, "% · wait")
        assert "just now" in (page.text_content("#run-1 time") or "")
        page.click("#run-1 a")
        page.locator(".steps", has_text=re.compile(r"[1-9]\.\ds")).wait_for()
        says(page, "s left")
        page.click("text=Stop...")
        says(page, "interrupts wait")
        page.click("button:has-text('Yes')")
        says(page, "↶ run 1 rolled back")
        assert run.wait(timeout=60) == 130
    assert not list(project.glob("made-*"))


def test_another_state_is_said_to_those_who_do_not_see_it(
    tabs: Tabs, serve: Callable[..., Server], journal: Journal
) -> None:
    journal.add([planned("scan")], started("scan"), dead=False)
    (owned,) = journal.opened[0]._owned
    page = tabs.open(serve().address)
    says(page, "live")
    owned.write([RunChange(outcome="completed")])
    says(page, "run 1: completed")
    assert page.get_by_role("status").last.text_content() == "run 1: completed"


def test_it_works_without_a_script(
    chromium: Chromium, serve: Callable[..., Server], journal: Journal
) -> None:
    journal.add([planned("scan")], done("scan"), outcome="completed")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(serve().address)
    assert page.is_visible("#run-1")
    journal.add([planned("scan")], ended("scan", "failed", error="no"), outcome="failed")
    page.reload()
    page.select_option("select[name=outcome]", "failed")
    page.click("button:has-text('Search')")
    page.wait_for_selector("#run-1", state="detached")
    assert page.is_visible("#run-2")
    context.close()

"""Reports in a real Chromium, if one is installed: no request, one script, fit for a phone."""

from __future__ import annotations

import os
import shutil
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shown_runs import EVERY, Shown, attached, line, shown, span, step

from handrail_report import report

pytestmark = pytest.mark.slow

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
EVIL = "<script>window.ran = true</script><img src=x onerror='window.ran = true'>"
DOT = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return a Chromium without a window."""
    api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).is_file():
        pytest.skip("no chromium is installed")
    with api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=120_000)
        yield made
        made.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens a report from a disk; none may ask for anything, or complain."""
    contexts: list[Any] = []
    asked: list[str] = []
    said: list[str] = []

    def open_report(run: Shown, *, inserted: str = "", **options: Any) -> Any:
        file = tmp_path / "a report.html"
        html = report(run, command="handrail show 12")
        file.write_text(html.replace("<footer>", f"{inserted}<footer>"), encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": 380, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield open_report
    for each in contexts:
        each.close()
    others = [each for each in asked if not each.startswith(("data:", "file:"))]
    assert others == []
    assert [each for each in said if "Content Security Policy" not in each] == []


def logged() -> Shown:
    """Return a run of which two steps have logged something, one of them in two attempts."""
    failing = [line(1), line(2, "error", message="AccessDenied (403)"), line(3)]
    again = [{**line(1), "attempt": 2}, {**line(2, "error", message=EVIL), "attempt": 2}]
    return shown(
        step("scan", "done", span(0, 1), log=[line(7, "seen", file="a+b (1).jpg")]),
        step("send", "failed", span(1, 2), error=EVIL, log=[*failing, *again]),
    )


def lines(page: Any) -> list[str]:
    """Return the lines of logs that one sees."""
    told: str = page.evaluate(
        """() => [...document.querySelectorAll(".log")]
            .filter(each => each.checkVisibility()).map(each => each.innerText).join("\\n")"""
    )
    return [each for each in told.split("\n") if each.strip()]


@pytest.mark.parametrize("kind", EVERY)
def test_a_report_opens_from_a_disk(kind: str, opened: Open) -> None:
    """Without a request or a complaint, and no wider than the window of a phone."""
    page = opened(EVERY[kind]())
    wide = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    assert page.evaluate(wide) <= 0


def test_nothing_that_a_run_says_runs(opened: Open) -> None:
    """Neither what is escaped, nor a script that somebody had put into the file or the page."""
    page = opened(logged(), inserted=EVIL.replace("<img src=x", "<img src=data:,"))
    assert "window.ran = true" in page.locator("#logs").text_content()
    page.evaluate("""() => {
        const one = document.createElement("script");
        one.textContent = "window.ran = true";
        document.body.append(one);
    }""")
    assert page.evaluate("window.ran === undefined")
    assert page.evaluate("document.documentElement.className") == "scripted"


def test_logs_are_searched_as_one_types(opened: Open) -> None:
    """In all steps and attempts; what is found is counted, and steps without it are hidden."""
    page = opened(logged())
    box, told = page.get_by_role("searchbox", name="Search"), page.locator("#logs output")
    before = lines(page)
    box.press_sequentially("img_0001")
    assert told.text_content() == "2 of 6 lines"
    assert [each for each in lines(page) if "IMG_0001" in each] == lines(page)[::2]
    assert "attempt 2" in lines(page)
    assert page.locator("#logs details:visible").count() == 1
    box.fill("A+B (1)")
    assert told.text_content() == "1 of 6 lines"
    assert len(lines(page)) == 1  # It was folded up, and is open now.
    box.fill("nothing like that")
    assert (told.text_content(), lines(page)) == ("0 of 6 lines", [])
    box.fill("")
    assert (told.text_content(), lines(page)) == ("", before)


def test_a_search_goes_with_errors_only(opened: Open) -> None:
    page = opened(logged())
    told = page.locator("#logs output")
    page.get_by_label("errors only").check()
    assert told.text_content() == "2 of 6 lines"
    page.get_by_role("searchbox").fill("403")
    assert told.text_content() == "1 of 6 lines"
    page.get_by_label("errors only").uncheck()
    page.get_by_role("searchbox").fill("sent")
    assert told.text_content() == "3 of 6 lines"


def test_a_line_of_a_log_has_an_address(opened: Open) -> None:
    """One gets it by a click, and it opens the log that it is in."""
    page = opened(logged())
    page.locator(".log span", has_text="AccessDenied (403)").click()
    assert page.evaluate("location.hash") == "#log-send-2"
    page.evaluate("location.hash = '#log-scan-7'")
    page.wait_for_function("document.querySelector('#log-scan-7').checkVisibility()")


def test_a_long_log_is_open_at_its_end(opened: Open) -> None:
    long = step("send", "failed", span(1, 2), log=[line(number) for number in range(1, 301)])
    page = opened(shown(long))
    seen = """() => {
        const last = document.querySelector("#log-send-300");
        const [line, log] = [last, last.parentElement].map(each => each.getBoundingClientRect());
        return line.bottom <= log.bottom;
    }"""
    assert page.evaluate(seen)


def test_the_runs_of_a_sweep_are_sorted_by_any_column(opened: Open) -> None:
    """By numbers as such, in both directions, what is missing at the end."""
    page = opened(EVERY["swept"]())
    cells = (
        "[...document.querySelectorAll('.sortable tbody tr')].map(row => row.cells[%d].innerText)"
    )
    page.get_by_role("button", name="accuracy").click()
    assert page.evaluate(cells % 5) == [f"0.{each}" for each in range(502, 509)] + ["-"]
    page.get_by_role("button", name="accuracy").click()
    assert page.evaluate(cells % 5) == [f"0.{each}" for each in range(508, 501, -1)] + ["-"]
    assert page.locator("th[aria-sort=descending]").inner_text() == "accuracy"
    page.get_by_role("button", name="kind").click()
    assert page.evaluate(cells % 2) == ["adam"] * 4 + ["sgd"] * 4


def test_what_steps_attached_can_be_saved(opened: Open) -> None:
    """A table whole, also what of it is not shown; a picture as the file that it was."""
    rows = [[f"file_{place}", place] for place in range(300)]
    table = attached("files", "table", {"columns": ["file", "size"], "rows": rows, "total": 300})
    seen = {"data": b64encode(DOT).decode(), "media_type": "image/png", "alt": ""}
    picture = attached("seen", "picture", seen)
    page = opened(shown(step("send", "done", attachments=[table, picture])))
    with page.expect_download() as saving:
        page.get_by_role("link", name="csv").click()
    assert saving.value.suggested_filename == "files.csv"
    saved = Path(saving.value.path()).read_text().splitlines()
    assert (len(saved), saved[0], saved[-1]) == (301, "file,size", "file_299,299")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save the picture").click()
    assert Path(saving.value.path()).read_bytes() == DOT


def test_on_paper_all_is_open_and_nothing_is_to_be_clicked(opened: Open) -> None:
    page = opened(logged())
    folded = page.locator("#logs details", has_text="scan").locator("pre")
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.evaluate("each => each.checkVisibility({contentVisibilityAuto: true})")
    assert not page.locator(".filter").is_visible()


def test_on_paper_columns_have_their_names(opened: Open) -> None:
    page = opened(EVERY["swept"]())
    page.emulate_media(media="print")
    assert page.locator(".sortable th", has_text="accuracy").get_by_text("accuracy").is_visible()


def test_bars_are_as_long_as_their_numbers(opened: Open) -> None:
    page = opened(EVERY["trained"]())
    widths = page.locator(".bars rect").evaluate_all("all => all.map(each => each.getBBox().width)")
    assert widths[0] == pytest.approx(5 * widths[1], rel=0.02)
    assert widths[0] > 40


def test_on_a_phone_all_steps_have_one_axis(opened: Open) -> None:
    page = opened(EVERY["interrupted"]())
    tracks = page.locator(".track:visible")
    edges = tracks.evaluate_all("all => all.map(each => each.getBoundingClientRect())")
    assert len({(round(each["left"]), round(each["right"])) for each in edges}) == 1


def test_keys_of_the_browser_stay_its_own(opened: Open) -> None:
    """A slash or Ctrl-F goes to nobody; Tab leads to the box, and what it says is announced."""
    page = opened(logged())
    for key in ("/", "Control+f"):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement === document.body")
    page.locator("#logs-title").click()
    page.keyboard.press("Tab")
    page.keyboard.type("403")
    told = page.get_by_role("status")
    assert told.text_content() == "1 of 6 lines"


def test_without_scripts_all_is_there(opened: Open) -> None:
    """Only the box to search in is not; errors alone can be shown nevertheless."""
    page = opened(logged(), java_script_enabled=False)
    assert not page.get_by_role("searchbox").is_visible()
    assert page.get_by_label("errors only").is_visible()
    page.locator("#logs summary").first.click()
    assert page.get_by_text("a+b (1).jpg").is_visible()


def test_tables_are_searched_as_one_types(opened: Open) -> None:
    """In all rows that can be saved, also in those that are not seen at first."""
    rows = [
        [f"file_{place}", 1000 * place, 'a "b", c\nd' if place == 299 else None]
        for place in range(300)
    ]
    value = {"columns": ["file", "size", "why"], "rows": rows, "total": 4000}
    page = opened(shown(step("send", "done", attachments=[attached("files", "table", value)])))
    cells = "[...document.querySelectorAll('figure tbody tr')].map(row => row.innerText)"
    box = page.locator("figure [type=search]")
    said = page.locator("figure output")
    before = page.evaluate(cells)
    box.fill("FILE_29")
    found = page.evaluate(cells)
    assert said.text_content() == "11 of 300 rows"
    assert [each.split("\t")[:2] for each in found[:2]] == [
        ["file_29", "29,000"],
        ["file_290", "290,000"],
    ]
    assert 'a "b", c' in found[-1]
    box.fill("(")
    assert (page.evaluate(cells), said.text_content()) == ([], "0 of 300 rows")
    box.fill("")
    assert (page.evaluate(cells), said.text_content()) == (before, "")

"""Reports: whatever a run says is text in them, they ask nobody for anything, and they stay small.

Their one script is the same in each, and the only one that they allow.

What is said of the views holds for every kind of them, from runs in the JSON form of `show`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any, get_args

import pytest
from documents import mistakes, read, requests
from hypothesis import given, settings
from hypothesis import strategies as st
from shown_runs import (
    EVERY,
    Shown,
    at,
    attached,
    curve,
    line,
    plot,
    shown,
    span,
    step,
    swept,
)

from handrail.attachments import Table
from handrail.builtin.records.comparison import comparison_of
from handrail.builtin.records.step_state import StepState
from handrail.redact import KNOWN
from handrail_report import report, script
from handrail_report.shown import LOOKS

PIECES = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=x>', "'", "&lt;"),
    *("]]>", "<!--", "-->", "</style>", "</title>", "javascript:alert(1)", "[x](javascript:x)"),
    *("\x1b[31m", "\x00", "\x9b2J", "\u202e", "\u2066", "\u2028", "\ud800", "\r", "\n", "`", "**"),
    *("ü", "北", "name", " ", "# ", "- ", "> ", 'http://x.example/"onclick=x '),
)
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
FILES = tuple(
    f"data:{media};charset=utf-8," for media in ("text/csv", "text/markdown", "application/json")
)
# What views read as one of some words, or as times and numbers, which no step can say.
KEPT = frozenset(
    (
        "began",
        "ended",
        "at",
        "started",
        "heard",
        "now",
        "direction",
        "type",
        "kind",
        "media_type",
        "data",
    )
)
KEYS = frozenset(("recorded", "given", "values", "secrets", "packs", "ways", "metrics", "series"))


def document(shown: Shown) -> str:
    return report(shown, command="handrail show 12", made="Handrail")


def said_by_others(value: Any, text: str, key: str = "") -> Any:
    """Return a value with `text` in place of every text in it, and of every name that others give.

    Those that stand for the same stay the same.
    """
    if isinstance(value, dict):
        return {
            f"{name} {text}" if key in KEYS else name: said_by_others(each, text, name)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [said_by_others(each, text, key) for each in value]
    return f"{value} {text}" if isinstance(value, str) and key not in KEPT else value


@pytest.fixture(scope="module")
def ours() -> dict[str, set[tuple[str, str]]]:
    """Return the elements with their attributes in each kind of report, as we make them."""
    return {kind: parts(document(make())) for kind, make in EVERY.items()}


def parts(html: str) -> set[tuple[str, str]]:
    return {(each.name, name) for each in read(html).all() for name in ("", *each.attributes)}


@settings(max_examples=15, deadline=None)
@given(text=TEXTS)
@pytest.mark.parametrize("kind", EVERY)
def test_whatever_a_run_says_is_text(
    kind: str, text: str, ours: dict[str, set[tuple[str, str]]]
) -> None:
    """It makes no element and no attribute, leads nowhere, and controls nothing."""
    html = document(said_by_others(EVERY[kind](), text))
    assert parts(html) <= ours[kind] | {("h4", ""), ("h5", ""), ("em", ""), ("pre", "")}
    assert not HARMFUL.search(html)
    for each in read(html).all("a"):
        files = FILES if "download" in each.attributes else ()
        assert (each.attributes["href"] or "").startswith(("#", "https://", "http://", *files))


@pytest.mark.parametrize("kind", EVERY)
def test_a_report_asks_nobody_for_anything(kind: str) -> None:
    html = document(EVERY[kind]())
    assert requests(html) == []
    assert "style=" not in html.partition("</style>")[2]


@pytest.mark.parametrize("kind", EVERY)
def test_a_report_has_one_script_and_allows_no_other(kind: str) -> None:
    """By its checksum: not from an address, not in an attribute, and not what a run says."""
    top = read(document(EVERY[kind]()))
    [one] = top.all("script")
    assert (one.words, one.attributes) == (script(), {})
    [policy] = [
        each.attributes["content"] or ""
        for each in top.all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    allowed = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    digest = b64encode(sha256(script().encode()).digest()).decode()
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == f"'sha256-{digest}'"
    assert not [name for each in top.all() for name in each.attributes if name.startswith("on")]


@pytest.mark.parametrize("kind", EVERY)
def test_a_report_can_be_read_without_seeing_it_and_without_a_mouse(kind: str) -> None:
    """Headings in order, labels, heads of tables that say what they are about."""
    assert mistakes(read(document(EVERY[kind]()))) == []


def test_items_cost_nothing_in_a_report() -> None:
    """Of 100,000 their numbers are there, the first that failed, and a way to the rest."""
    traceback = '  File "steps.py", line 9, in <lambda>\n' * 1_000
    failures = [{"item": place, "error": "boom", "traceback": traceback} for place in range(20)]
    items = {"done": 90_000, "failed": 10_000, "begun": 0, "undone": 0, "left": 0}
    few = {**items, "done": 9, "failed": 1, "failures": failures[:1]}
    many = {**items, "failures": failures}
    small, large = (
        document(shown(step("send", "done", span(0, 9), items=each))) for each in (few, many)
    )
    assert len(large.encode()) < 500_000
    assert len(list(read(large).all())) - len(list(read(small).all())) < 100
    assert "90,000" in large
    assert "and 9,980 more that failed" in large


def test_a_report_of_an_upload_of_many_files_stays_small() -> None:
    """With tables of the first files of each state, which are as long as tables can be."""
    states = ("left-out", "deleted", "replaced", "new")
    rows = [[f"camera_front/2026-11/{n:06}/IMG_{n:06}_undistorted.jpeg", n] for n in range(2000)]
    kept = Table(("file", "bytes"), rows, 100_000).to_dict()
    kept.pop("type")
    tables = [attached(f"{state} files", "table", kept) for state in states]
    html = document(shown(step("upload_files", "done", span(0, 1), attachments=tables)))
    assert "and 99,900 more rows" in html
    assert len(html.encode()) < 500_000


def test_a_run_of_many_steps_shows_those_of_which_something_is_to_be_said() -> None:
    steps = [step(f"step_{place}", "done", span(place, place + 1)) for place in range(10_000)]
    steps[7_000] = step("broken", "failed", span(7_000, 7_001), error="boom", traceback="t" * 99)
    html = document(shown(*steps, state="failed (kept)", outcome="failed"))
    assert len(html.encode()) < 100_000
    top = read(html)
    assert len(list(top.all())) < 1_500
    [table] = [each for each in top.all("table") if each.attributes.get("class") == "steps"]
    assert "broken" in table.words
    rows = [each for each in table.all("th") if each.attributes.get("scope") == "row"]
    assert f"and {10_000 - len(rows):,} more steps: handrail show 12 --all" in top.words


def test_long_logs_and_wide_sweeps_are_cut_and_say_so() -> None:
    """A step that failed keeps the most of what it logged."""
    log = [line(number) for number in range(1, 1_001)]
    steps = [step(f"step_{place}", "done", span(0, 1), log=log) for place in range(20)]
    steps[9] = step("broken", "failed", span(0, 1), log=log, error="boom")
    html = document(shown(*steps))
    assert len(html.encode()) < 400_000
    assert re.search(r"more lines: handrail show 12 --step step_\d+ --json", html)
    assert "IMG_1000.jpg" in html
    wide = document(swept(rates=300))
    assert len(wide.encode()) < 400_000
    assert "and 400 more runs" in wide
    assert mistakes(read(wide)) == []  # Points lead to runs that are there.
    assert "best accuracy" in read(wide).words


def test_lines_of_logs_have_room_for_their_addresses() -> None:
    log = [line(number, "ok", n=1) for number in range(1, 1_001)]
    names = [f"transfer_files_to_the_target_{place}" for place in range(20)]
    html = document(shown(*(step(name, "done", span(0, 1), log=log) for name in names)))
    assert len(html.encode()) < 400_000


def test_of_many_steps_to_look_at_the_last_is_shown() -> None:
    """It is where the run failed."""
    steps = [step(f"step_{place}", "done", span(0, 1), attempts=2) for place in range(300)]
    steps[-1] = step("broken", "failed", span(1, 2), error="boom")
    html = document(shown(*steps, state="failed (kept)", outcome="failed", cause="broken"))
    assert "the run failed here" in html
    assert "and 150 more steps" in html


def test_many_metrics_are_cut_and_say_so() -> None:
    metrics = {f"metric_{place}": curve("loss") for place in range(300)}
    html = document(shown(step("fit", "done", span(0, 1), metrics=metrics)))
    assert len(html.encode()) < 500_000
    assert "and 276 more plots" in html
    splits = {
        f"{split}_{place}": {"points": [[n, at(n), n * 1.37] for n in range(1, 1_001)]}
        for place in range(24)
        for split in ("train", "val", "test")
    }
    html = document(shown(step("fit", "done", span(0, 1), metrics=splits)))
    assert len(html.encode()) < 500_000
    assert "and 16 more plots" in html


def test_what_is_waited_worked_and_undone_differs_by_more_than_colour() -> None:
    """Undo is hatched and labelled, waits are dashed, pauses are specked, and each has words."""
    html = document(EVERY["failed"]())
    top = read(html)
    undone = [each for each in top.all("rect") if "undone" in (each.attributes["class"] or "")]
    assert [each.words for each in undone if each.below] == ["undo, 1.0s", "undo, 1.0s"]
    assert list(top.all("pattern"))
    html = document(EVERY["interrupted"]())
    assert "nobody worked on it for 14m 51s" in html
    assert "waited" in html


def test_the_headline_is_the_cause_and_an_undo_that_failed_stands_below_it() -> None:
    """With its traceback."""
    left = step("rows", "undo failed", undo_error="no answer", undo_traceback="at rows.py:7")
    other = step("read", "undone", error="cancelled, because step 'send' failed")
    steps = left, other, step("send", "failed and undone", error="denied")
    run = shown(*steps, state="rollback incomplete", cause="send", left=["rows"])
    top = read(document(run))
    [notice] = [each for each in top.all("div") if "notice" in (each.attributes.get("class") or "")]
    assert notice.words.strip().startswith("Failed at send, and the undo could not undo 1 step.")
    words = "failed: denied", "read (acme-upload 1.0.0) was stopped", "no answer", "at rows.py:7"
    places = [notice.words.index(each) for each in words]
    assert places == sorted(places)


def test_a_run_that_was_rolled_back_names_what_was_not_undone() -> None:
    top = read(document(shown(step("a", "undone"), state="rolled back", not_undone=["notify"])))
    assert "1 step undone, except notify." in top.words


@pytest.mark.parametrize("state", get_args(StepState))
def test_each_state_of_a_step_is_said_in_its_word_with_a_look(state: str) -> None:
    """The word is that of `show` and of its JSON."""
    top = read(document(shown(step("send", state))))
    said = [each.words for cell in top.all("td") for each in cell.all("span")]
    assert f"{LOOKS[state].glyph}{state}" in said


def test_a_running_step_says_how_far_it_is() -> None:
    """As a bar, in words, and in the picture of the plan."""
    top = read(document(EVERY["interrupted"]()))
    [bar] = top.all("progress")
    assert (bar.attributes["value"], bar.attributes["max"]) == ("115", "200")
    assert top.words.count("57 %, 115/200") + top.words.count("58 %, 115/200") >= 2


def test_long_tables_are_cut_and_counters_are_not_drawn() -> None:
    """The first rows are seen, also by scrolling, and the rest is counted."""
    rows = [[f"file_{place}", place] for place in range(300)]
    table = attached("files", "table", {"columns": ["file", "size"], "rows": rows, "total": 4_000})
    counter = {**curve("epoch"), "points": [[place, at(place), place] for place in range(9)]}
    metrics = {"loss": curve("loss"), "epoch": counter}
    fit = step("fit", "done", span(0, 1), metrics=metrics, attachments=[table])
    top = read(document(shown(fit)))
    [table] = [each for each in top.all("table") if each.is_in("figure")]
    assert [cell.words for cell in table.all("th")][-1] == "file_99"
    assert "and 3,900 more rows" in top.words
    captions = [each.words for each in top.all("figcaption")]
    assert "loss of fit" in captions
    assert "epoch of fit" not in captions


def test_losses_of_a_step_are_one_plot_in_which_each_has_a_name() -> None:
    metrics = {name: curve("loss") for name in ("train_loss", "val/loss", "accuracy")}
    top = read(document(shown(step("fit", "done", span(0, 1), metrics=metrics))))
    figures = [each for each in top.all("figure") if list(each.all("polyline"))]
    assert [next(each.all("figcaption")).words for each in figures] == [
        "loss of fit",
        "accuracy of fit",
    ]
    assert [len(list(each.all("polyline"))) for each in figures] == [2, 1]
    assert [each.words.strip() for each in figures[0].all("li")] == ["train_loss", "val/loss"]


def test_series_of_points_differ_by_colour_and_mark_and_have_a_legend() -> None:
    pairs = {"train": [[1, 2.0], [2, 3.0]], "test": [[1, 1.0], [2, 2.0]]}
    top = read(document(shown(step("fit", attachments=[plot("scatter", pairs)]))))
    dots = [each for each in top.all("path") if "dot" in (each.attributes.get("class") or "")]
    looks = {(each.attributes["class"], each.attributes["d"]) for each in dots}
    assert len(looks) == 2
    assert [each.words.strip() for each in top.all("li") if each.words.strip() in pairs] == [*pairs]


def test_the_step_at_which_a_run_failed_is_marked_also_after_its_undo() -> None:
    """Whatever became of it; the log of what failed or runs is open, others are not."""
    steps = [
        step("a", "undo failed", span(0, 1), error="denied", log=[line(1)]),
        step("b", "running", span(1, None), log=[line(1)]),
        step("c", "done", span(0, 1), log=[line(1)]),
    ]
    top = read(document(shown(*steps, cause="a", state="rollback incomplete", left=["a"])))
    [cause] = [each for each in top.all("tr") if each.attributes.get("class") == "cause"]
    assert "the run failed here" in cause.words
    [logs] = [each for each in top.all("section") if each.attributes.get("id") == "logs"]
    assert ["open" in each.attributes for each in logs.all("details")] == [True, True, False]


def test_tables_of_markdown_are_tables() -> None:
    """And nothing in them leads or reaches anywhere else."""
    text = "| a | b |\n|---|---|\n| 1 | ![x](https://x.example/y.png) <b>&#x202e;[x](./y)</b> |"
    notes = attached("notes", "markdown", {"text": text})
    html = document(shown(step("fit", attachments=[notes])))
    assert requests(html) == []
    [table] = [each for each in read(html).all("table") if each.is_in("figure")]
    assert [each.words for each in table.all("th", "td")][:3] == ["a", "b", "1"]
    assert "\\u202e" in table.words
    assert list(table.all("b", "img")) == []


def test_a_picture_is_saved_as_what_it_is() -> None:
    """Whatever its name seems to say."""
    seen = attached("v1.exe", "picture", {"data": "", "media_type": "image/png", "alt": ""})
    [save] = read(document(shown(step("fit", attachments=[seen])))).all("button")
    assert save.attributes["value"] == "v1.exe.png"


def test_a_text_after_a_link_is_not_taken_for_its_password() -> None:
    """Hiding it would leave the link, and its attribute, open."""
    text = "[docs][1],me@x.example\n\n[1]: http://host:8080"
    notes = attached("notes", "markdown", {"text": text})
    html = document(shown(step("fit", attachments=[notes])))
    assert '<a href="http://host:8080">docs</a>,me@x.example' in html


def test_columns_of_numbers_in_markdown_need_no_style() -> None:
    """The policy of a document refuses each that is not in its stylesheet."""
    notes = attached("notes", "markdown", {"text": "| a | b |\n|---|--:|\n| x | 1 |"})
    top = read(document(shown(step("fit", attachments=[notes]))))
    assert not [each for each in top.all() if "style" in each.attributes]
    [number] = [each for each in top.all("td") if each.words == "1"]
    assert number.attributes["class"] == "number"


def test_the_result_and_what_is_attached_are_named_where_the_outcome_is() -> None:
    notes = attached("notes", "markdown", {"text": "x"})
    result = {"accuracy": 0.94, "model": "digits.onnx"}
    run = shown(step("fit", attachments=[notes]), result=result)
    [outcome] = [
        each for each in read(document(run)).all("section") if each.attributes["id"] == "outcome"
    ]
    pairs = zip(outcome.all("dt"), outcome.all("dd"), strict=True)
    named = {name.words: value.words for name, value in pairs}
    assert (named["accuracy"], named["model"]) == ("0.94", "digits.onnx")
    assert [each.words for each in outcome.all("a")] == ["notes"]


def test_what_is_equal_is_no_row_of_a_comparison() -> None:
    steps = [step("a", metrics={"loss": curve("loss"), "best": curve("best", n)}) for n in (1, 9)]
    runs = [shown(each, id=n, took=float(n)) for n, each in enumerate(steps, 1)]
    html = document({"runs": runs, "differs": comparison_of(runs)})
    heads = [each.words for each in read(html).all("th") if each.attributes.get("scope") == "row"]
    assert heads == ["started", "took", "best"]


def test_known_secrets_are_in_no_view() -> None:
    """Also where a template puts texts together, and in files to save."""
    KNOWN.learn(["correct-horse"])
    try:
        made = [document(said_by_others(make(), "correct-horse")) for make in EVERY.values()]
    finally:
        KNOWN.forget()
    assert not any("horse" in each for each in made)


def test_an_attachment_of_a_pack_is_named_with_its_size_and_its_file() -> None:
    sound = attached("the engine", "acme-sound", {"samples": [0.5] * 100})
    top = read(document(shown(step("listen", "done", attachments=[sound]))))
    [caption] = [each.words for each in top.all("figcaption")]
    assert caption.split() == ["the", "engine:", "acme-sound,", "513", "B", "of", "JSON", "json"]

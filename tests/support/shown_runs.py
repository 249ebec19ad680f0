"""Runs in the JSON form that `handrail show --json` writes, of every kind that a view can meet."""

from __future__ import annotations

import math
from typing import Any

from handrail.builtin.records.comparison import comparison_of

Shown = dict[str, Any]
FIRST = 1_795_000_000.0


def at(seconds: float) -> str:
    """Return a time of a journal, so many seconds after the run began."""
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(FIRST + seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def origin(pack: str | None, version: str = "1.0.0") -> Shown:
    """Return where a step comes from."""
    return {"pack": pack, "version": version, "module": "acme", "file": "acme.py", "line": 3}


def span(began: float, ended: float | None, *, attempt: int = 1, undo: bool = False) -> Shown:
    """Return a time in which a step worked."""
    direction = "undo" if undo else "forward"
    end = None if ended is None else at(ended)
    return {"attempt": attempt, "direction": direction, "began": at(began), "ended": end}


def step(name: str, state: str = "done", *spans: Shown, **more: Any) -> Shown:
    """Return a step."""
    took = 1.0 if spans else None
    usual: Shown = {
        "name": name,
        "state": state,
        "at": None,
        "attempts": 1,
        "took": took,
        "recorded": {},
        "by_hand": None,
        "error": None,
        "undo_error": None,
        "undo_traceback": None,
        "traceback": None,
        "origin": origin("acme-upload"),
        "undo": False,
        "resume": False,
        "effects": False,
        "always_run": False,
        "action": None,
        "reason": "base",
        "required": None,
        "layers": [],
        "limits": None,
        "would_be_undone": False,
        "values": None,
        "spans": list(spans),
    }
    return {**usual, **more}


def shown(*steps: Shown, **more: Any) -> Shown:
    """Return a run with its steps."""
    run: Shown = {
        "id": 12,
        "uid": "0193",
        "action": "upload",
        "state": "completed",
        "outcome": "completed",
        "direction": "forward",
        "sealed": None,
        "damage": None,
        "started": at(0),
        "ended": at(60),
        "took": 32.4,
        "undo_took": 0.0,
        "project": "acme",
        "folder": "/srv/photos",
        "left": [],
        "not_undone": [],
        "by_hand": [],
        "owner": {"pid": 4711, "host": "build-7", "user": "ada", "started": None},
        "relies_on": [],
        "relied_on_by": [],
        "held": False,
        "ways": {},
        "plan": "9f3c21ab",
        "params": {"values": {"source": "./photos", "copies": 8}, "secrets": {"token": "TOKEN"}},
        "given": {"source": "./photos", "token": "$TOKEN"},
        "core_version": "0.1.0",
        "relies_on_uids": [],
        "heard": at(60),
        "now": at(60),
        "given_up": False,
        "would": {},
        "cause": None,
        "stays": [],
        "packs": {"acme-upload": {"then": "1.0.0", "now": "1.1.0"}},
    }
    return {"run": {**run, **more}, "steps": list(steps), "damaged": []}


def line(number: int, event: str = "sent", **data: Any) -> Shown:
    """Return a line that a step logged."""
    data = data or {"file": f"IMG_{number:04}.jpg"}
    return {
        "at": at(number / 100),
        "attempt": 1,
        "number": number,
        "event": event,
        "data": data,
        "file": None,
    }


def curve(name: str, slope: float = 15.0) -> Shown:
    """Return a metric with a history."""
    points = [[place, at(place), 2.3 * math.exp(-place / slope)] for place in range(1, 60)]
    return {"name": name, "category": "fit", "points": points}


def plot(kind: str, series: dict[str, Any], **more: Any) -> Shown:
    """Return an attached plot."""
    axes = {"x": "epoch", "y": "loss", "title": "", "log_x": False, "log_y": False}
    return attached(f"a {kind}", "plot", {"kind": kind, "series": series, **axes, **more})


def attached(name: str, kind: str, value: Shown) -> Shown:
    """Return what a step attached."""
    return {"name": name, "type": kind, "at": at(60), "attempt": 1, "value": value}


def failed() -> Shown:
    """Return a run that failed, and was rolled back."""
    timing = {"name": "timing", "origin": origin("acme-utils")}
    failures = [{"item": 257, "error": "PermissionDenied: IMG_0257.jpg", "traceback": "boom"}]
    items = {"done": 256, "failed": 1, "begun": 4, "undone": 0, "left": 0, "failures": failures}
    return shown(
        step("audit_open", "done", span(0, 1), reason="before send", required="policy.toml:4"),
        step("connect", "undone", span(1, 2), span(31, 32, undo=True), recorded={"probe": 1}),
        step("read", "skipped"),
        step(
            "send",
            "failed and undone",
            span(2, 30),
            span(30, 31, undo=True),
            recorded={"keys": 260},
            undo=True,
            effects=True,
            layers=[timing],
            error="PermissionDenied: IMG_0257.jpg",
            traceback="Traceback (most recent call last):\nPermissionDenied: IMG_0257.jpg",
            items=items,
            log=[line(1), line(2, "error", message="AccessDenied (403)"), line(9)],
        ),
        step("index", "not started"),
        step("close", "done", span(32, 33), always_run=True, action="upload"),
        state="rolled back",
        outcome="rolled_back",
        direction="undo",
        undo_took=2.0,
        cause="send",
        relies_on=[11],
    )


def interrupted() -> Shown:
    """Return a run that was killed, went on later, and was killed again."""
    by_hand = {"step": "tell", "by": "ada on build-7", "at": at(99), "reason": "called them"}
    return shown(
        step("fetch", "done", span(0, 2)),
        step("resize", "done", span(2, 6), group="media", lane=0, would_be_undone=True),
        step("mark", "interrupted", span(6, 9), span(900, 904, attempt=2), attempts=2,
             group="media", lane=0, recorded={"files": 40}, would_be_undone=True),
        step(
            "transcode",
            "running",
            span(900, None),
            group="media",
            lane=1,
            progress={"current": 115, "total": 200, "category": None, "detail": "", "at": at(905)},
        ),
        step("tell", "undo failed", span(904, 905), undo_error="no answer", by_hand=by_hand),
        id=21,
        state="interrupted",
        outcome=None,
        heard=at(910),
        now=at(910),
        ended=None,
        ways={"finish": "handrail resume 21", "undo": "handrail rollback 21"},
        would={"finish": "goes on in mark", "undo": "undoes resize"},
        stays=["transcode"],
        left=["tell"],
        by_hand=[by_hand],
        relied_on_by=[25, 26],
        sealed="the target was emptied",
    )  # fmt: skip


def trained(number: int = 31, slope: float = 15.0) -> Shown:
    """Return a run with metrics, plots, tables, a text and a picture."""
    labels = {row: [[column, ord(row) % 7] for column in "abc"] for row in "abc"}
    table = {"columns": ["file", "loss"], "rows": [["a.png", 0.5], ["b.png", None]], "total": 400}
    text = (
        "# Learnt\n\nIt **confuses** `cats`, see [more](https://example.org/x).\n\n- one\n\n> two"
    )
    dot = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
        "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    fit = step(
        "fit",
        "done",
        span(1, 60),
        undo=True,
        would_be_undone=True,
        metrics={
            "loss": curve("loss", slope),
            "epoch": {**curve("epoch"), "points": [[1, at(1), 3]]},
        },
        attachments=[
            plot("line", {"train": [[1, 2.0], [2, None], [3, 1.0]], "test": [[1, 2.5], [3, 1.5]]}),
            plot("scatter", {"cats": [[1, 2.0], [2, 3.0]], "dogs": [[1, 3.0]]}, log_x=True),
            plot("bar", {"importance": [["petal", 0.5], ["sepal", -0.1]]}),
            plot("heatmap", labels),
            attached("worst", "table", table),
            attached("notes", "markdown", {"text": text}),
            attached("seen", "picture", {"data": dot, "media_type": "image/png", "alt": "a dot"}),
        ],
    )
    return shown(
        step("load", "done", span(0, 1)),
        fit,
        id=number,
        action="train",
        ways={"undo": f"handrail rollback {number}"},
        would={"undo": "undoes fit"},
    )


def swept(rates: int = 4) -> Shown:
    """Return a sweep."""
    over = {"rate": [10.0**-place for place in range(rates)], "kind": ["sgd", "adam"]}
    children: list[Shown] = []
    for rate in over["rate"]:
        for kind in over["kind"]:
            place = len(children) + 1
            broken = rate == 1.0 and kind == "sgd"
            children.append(
                {
                    "place": place,
                    "point": {"rate": rate, "kind": kind},
                    "metrics": {} if broken else {"accuracy": 0.5 + place / 1000},
                    "error": "diverged" if broken else None,
                    "state": "failed, rolled back" if broken else "completed",
                    "run": shown(id=30 + place)["run"],
                    "curve": [[epoch, place * epoch / 1000] for epoch in range(1, 9)],
                }
            )
    sweep = {"over": over, "sample": None, "seed": 0, "max_failed": None, "metric": "accuracy"}
    best = children[-1]["run"]["id"]
    return {**shown(id=30, action="train"), "sweep": {**sweep, "best": best, "runs": children}}


def compared() -> Shown:
    """Return three runs side by side."""
    runs = [trained(31), trained(34, slope=25.0), failed()]
    return {"runs": runs, "differs": comparison_of(runs)}


def listed() -> Shown:
    """Return a list of runs."""
    runs = [each()["run"] for each in (failed, interrupted, trained, swept)]
    return {"journal": "runs.db", "more": False, "runs": runs}


EVERY = {
    "failed": failed,
    "interrupted": interrupted,
    "trained": trained,
    "swept": swept,
    "compared": compared,
}

"""The card of a model: what a person should know of it, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from handrail_train.figures import FIGURES

_MOST = 100  # Columns and classes that are listed.


def card_of(name: str, report: Mapping[str, Any]) -> str:
    """Return the card of a model, from the report of its training: equal for equal reports."""
    return "\n".join(_lines(name, report)) + "\n"


def _lines(name: str, report: Mapping[str, Any]) -> Iterator[str]:
    data, metrics = report["dataset"], report["metrics"]
    target = data["target"]
    task = (
        f"one of {len(target['classes'])} classes"
        if target["task"] == "classification"
        else "a number"
    )
    yield f"# {_text(name)}"
    yield ""
    rows = f"{data['train']:,} of {data['rows']:,} rows"
    yield f"It tells `{_code(target['name'])}`, {task} ({_text(target['why'])})."
    yield f"Its kind is `{_code(report['kind'])}`. It was trained on {rows} of"
    yield f"`{_code(data['name'])}` for {len(report['history'])} epochs, and kept after epoch"
    yield f"{report['best_epoch']}."
    if data["doubts"]:
        yield ""
        yield "## What to know first"
        yield ""
        yield from (f"- {_text(doubt)}" for doubt in data["doubts"])
    if metrics:
        yield ""
        yield f"## Test on {metrics['rows']:,} rows that it had not seen"
        yield ""
        yield "| figure | value |"
        yield "| --- | ---: |"
        for figure, (shown, _) in FIGURES.items():
            if figure in metrics:
                first = " (look here first)" if figure == metrics["headline"] else ""
                yield f"| {shown}{first} | {metrics[figure]:.4g} |"
        yield ""
        yield f"{_text(metrics['why']).capitalize()}."
    yield ""
    yield "## Columns"
    yield ""
    yield "| column | taken for | why | importance |"
    yield "| --- | --- | --- | ---: |"
    importance = {each["column"]: each["importance"] for each in metrics.get("importance", ())}
    for each in data["columns"][:_MOST]:
        known = importance.get(each["name"])
        told = "" if known is None else f"{known:.3g}"
        yield f"| {_text(each['name'])} | {each['kind']} | {_text(each['why'])} | {told} |"
    for each in data["left_out"][:_MOST]:
        yield f"| {_text(each['name'])} | left out | {_text(each['why'])} | |"
    yield ""
    yield "## How it was made"
    yield ""
    for key, value in {**report["params"], **report["hyper"]}.items():
        yield f"- {_text(key)}: `{_code(json.dumps(value))}`"
    yield ""
    yield f"Data {data['fingerprint'][:16]} · " + ", ".join(
        f"{_text(library)} {number}" for library, number in report["libraries"].items()
    )


def _text(value: object) -> str:
    """Return a text whose characters mean nothing to Markdown, on one line."""
    line = " ".join(str(value).split())
    return "".join(f"\\{each}" if each in "\\`*_[]<>|#" else each for each in line)


def _code(value: object) -> str:
    """Return a text for between backticks."""
    return " ".join(str(value).replace("`", "'").split())

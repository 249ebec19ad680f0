"""Plots of a training as SVG: how it went, and what the model is like.

They are plain text, derived from the figures alone, so equal figures give equal files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats

_INK, _QUIET, _GRID, _PAPER = "#24292f", "#6e7781", "#e3e6ea", "#ffffff"
_FONT = "font-family='system-ui, sans-serif'"
_BLUE, _ORANGE, _GREEN = "#2563eb", "#d97706", "#15803d"
_CURVES = (
    ("loss", "training loss", _BLUE),
    ("validation_loss", "validation loss", _ORANGE),
    ("validation_accuracy", "validation accuracy", _GREEN),
    ("validation_rmse", "validation RMSE", _GREEN),
)
_MOST_CLASSES = 40  # Beyond that, cells are too small to be seen.
_MOST_BARS = 30
_MOST_POINTS = 1_000


def learning_curve(history: Sequence[Mapping[str, float]], best: int) -> str:
    """Return a plot of the figures of each epoch: losses above, accuracy below.

    Args:
        history: The figures of each epoch.
        best: The epoch of the model that was kept, from 1.
    """
    curves = [(n, t, c) for n, t, c in _CURVES if history and all(n in shown for shown in history)]
    losses = [each for each in curves if each[0].endswith("loss")]
    shares = [each for each in curves if not each[0].endswith("loss")]
    panels = [each for each in (losses, shares) if each]
    height = 56 + 190 * max(1, len(panels))
    body = [_text(48, 26, "Learning curve", size=15, weight=600)]
    for number, panel in enumerate(panels):
        top = 52 + 190 * number
        body += _panel(history, panel, best, top, last=number == len(panels) - 1)
    if not panels:
        body.append(_text(48, 60, "no figures were shown", color=_QUIET))
    return _document(640, height, "Learning curve", body)


def _panel(
    history: Sequence[Mapping[str, float]],
    curves: Sequence[tuple[str, str, str]],
    best: int,
    top: int,
    *,
    last: bool,
) -> Iterator[str]:
    left, right, bottom = 60, 620, top + 130
    values = [shown[name] for name, *_ in curves for shown in history]
    ticks = _ticks(min(values), max(values))
    low, high = ticks[0], ticks[-1]
    span = max(1, len(history) - 1)

    def x(epoch: int) -> float:
        return left + (right - left) * ((epoch - 1) / span if len(history) > 1 else 0.5)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    for tick in ticks:
        yield f"<path d='M{left} {y(tick):.1f}H{right}' stroke='{_GRID}'/>"
        yield _text(left - 8, y(tick) + 4, f"{tick:.6g}", size=11, color=_QUIET, anchor="end")
    if best != len(history):
        yield (
            f"<path d='M{x(best):.1f} {top}V{bottom}' stroke='{_QUIET}' stroke-dasharray='3 3'/>"
        )
        yield _text(x(best) + 5, top + 11, f"kept: epoch {best}", size=11, color=_QUIET)
    for place, (name, title, color) in enumerate(curves):
        points = [(x(n), y(shown[name])) for n, shown in enumerate(history, 1)]
        if len(points) == 1:
            yield f"<circle cx='{points[0][0]:.1f}' cy='{points[0][1]:.1f}' r='3' fill='{color}'/>"
        else:
            line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
            yield (
                f"<polyline points='{line}' fill='none' stroke='{color}' stroke-width='2' "
                "stroke-linejoin='round'/>"
            )
        at = right - 150 * (len(curves) - place)
        yield f"<path d='M{at} {top - 10}h16' stroke='{color}' stroke-width='3'/>"
        yield _text(at + 22, top - 6, title, size=11)
    for epoch in sorted({1, (len(history) + 1) // 2, len(history)}):
        yield _text(x(epoch), bottom + 16, str(epoch), size=11, color=_QUIET, anchor="middle")
    if last:
        middle = (left + right) / 2
        yield _text(middle, bottom + 32, "epoch", size=11, color=_QUIET, anchor="middle")


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers, from at most `low` to at least `high`."""
    if high - low < 1e-9 * (abs(high) + 1e-9):
        margin = max(abs(low) / 20, 0.05)
        low, high = low - margin, high + margin
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def confusion_matrix(metrics: Mapping[str, Any]) -> str:
    """Return a picture of how often each class was taken for which; see `evaluate`.

    A row is a true class; the shade of a cell is its share of that row.
    """
    labels = [str(each["label"]) for each in metrics["classes"]]
    counts: list[list[int]] = metrics["confusion"]
    if len(labels) > _MOST_CLASSES:
        text = f"{len(labels)} classes are too many for a picture; the report has the figures"
        body = [_text(20, 30, text)]
        return _document(640, 50, "Confusion matrix", body)
    cell = max(16, min(48, 480 // len(labels)))
    shown = [label if len(label) <= 16 else f"{label[:15]}…" for label in labels]
    longest = max(map(len, shown))
    left, top = 52 + 7 * longest, 92
    across = longest * 7 + 8 > cell  # Then the names of the columns are vertical.
    if across:
        top += 7 * longest - 12
    side = cell * len(labels)
    width, height = max(left + side + 24, 320), top + side + 44
    body = [
        _text(24, 26, "Confusion matrix", size=15, weight=600),
        _text(24, 46, f"accuracy {metrics['accuracy']:.4g}", size=12, color=_QUIET),
        _text(left + side / 2, top + side + 24, "predicted", color=_QUIET, anchor="middle"),
        _text(20, top + side / 2, "true", color=_QUIET, anchor="middle", turned=True),
    ]
    for row, (label, cells) in enumerate(zip(shown, counts, strict=True)):
        middle = top + cell * row + cell / 2
        body.append(_text(left - 8, middle + 4, label, size=11, anchor="end"))
        at = left + cell * row + cell / 2
        anchor = "start" if across else "middle"
        body.append(_text(at + 4 * across, top - 8, label, size=11, anchor=anchor, turned=across))
        body += _row(cells, left, top + cell * row, cell, true=row)
    return _document(width, height, "Confusion matrix", body)


def _row(cells: Sequence[int], left: int, top: int, cell: int, *, true: int) -> Iterator[str]:
    total = sum(cells) or 1
    for column, count in enumerate(cells):
        share = count / total
        color = _BLUE if column == true else _ORANGE
        shade = 0.08 + 0.92 * share if count else 0.04
        x = left + cell * column
        yield (
            f"<rect x='{x}' y='{top}' width='{cell - 2}' height='{cell - 2}' rx='2' "
            f"fill='{color}' fill-opacity='{shade:.3f}'/>"
        )
        if count:
            ink = _PAPER if share > 0.55 else _INK
            size = 11 if cell >= 24 else 8
            middle = (x + cell / 2 - 1, top + cell / 2 + size / 3)
            yield _text(*middle, str(count), size=size, color=ink, anchor="middle")


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    weight: int = 400,
    color: str = _INK,
    anchor: str = "start",
    turned: bool = False,
) -> str:
    turn = f" transform='rotate(-90 {x:.1f} {y:.1f})'" if turned else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' fill='{color}' "
        f"text-anchor='{anchor}'{turn}>{escape(text)}</text>"
    )


def _document(width: float, height: float, title: str, body: Sequence[str]) -> str:
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:g}' height='{height:g}' "
        f"viewBox='0 0 {width:g} {height:g}' role='img' {_FONT}>",
        f"<title>{escape(title)}</title>",
        f"<rect width='100%' height='100%' fill='{_PAPER}'/>",
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def importance_chart(found: Sequence[Mapping[str, Any]]) -> str:
    """Return a plot of the importance of each column; see `handrail_train.evaluation.importance`.

    Of many columns, the most important ones are shown.
    """
    shown = list(found[:_MOST_BARS])
    names = [_short(str(each["column"]), 24) for each in shown]
    left = 24 + 7 * max(map(len, names), default=0)
    right, row = left + 360, 22
    greatest = max((each["importance"] for each in shown), default=0.0) or 1.0
    body = [_text(24, 26, "Importance of columns", size=15, weight=600)]
    body.append(_text(24, 46, "how much worse it gets without the column", color=_QUIET))
    for place, (name, each) in enumerate(zip(names, shown, strict=True)):
        top = 62 + row * place
        width = max(0.0, each["importance"]) / greatest * (right - left)
        body.append(_text(left - 8, top + 13, name, size=11, anchor="end"))
        body.append(
            f"<rect x='{left}' y='{top + 3}' width='{max(width, 1):.1f}' height='13' rx='2' "
            f"fill='{_BLUE}'/>"
        )
        at = left + width + 6
        body.append(_text(at, top + 13, f"{each['importance']:.3g}", size=11, color=_QUIET))
    return _document(right + 80, 76 + row * len(shown), "Importance of columns", body)


def calibration_chart(metrics: Mapping[str, Any]) -> str:
    """Return a plot of how often a model is right, by how sure it is; see `evaluate`."""
    left, top, side = 60, 62, 260
    error = f"calibration error {metrics['calibration_error']:.3g}"
    body = [
        _text(24, 26, "Calibration", size=15, weight=600),
        _text(24, 46, error, size=12, color=_QUIET),
        f"<path d='M{left} {top + side}L{left + side} {top}' stroke='{_QUIET}' "
        "stroke-dasharray='3 3'/>",
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y, x = top + side * (1 - share), left + side * share
        body.append(f"<path d='M{left} {y:.1f}h{side}' stroke='{_GRID}'/>")
        body.append(_text(left - 8, y + 4, f"{share:g}", size=11, color=_QUIET, anchor="end"))
        label = _text(x, top + side + 16, f"{share:g}", size=11, color=_QUIET, anchor="middle")
        body.append(label)
    for each in metrics["calibration"]:
        radius = 3 + 9 * math.sqrt(each["rows"] / metrics["rows"])
        x, y = left + side * each["sure"], top + side * (1 - each["right"])
        body.append(
            f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:.1f}' fill='{_BLUE}' "
            "fill-opacity='0.6'/>"
        )
    middle = left + side / 2
    body.append(_text(middle, top + side + 34, "how sure", color=_QUIET, anchor="middle"))
    across = (20, top + side / 2)
    body.append(_text(*across, "how often right", color=_QUIET, anchor="middle", turned=True))
    return _document(left + side + 40, top + side + 48, "Calibration", body)


def residuals_chart(truth: Sequence[float] | Floats, found: Sequence[float] | Floats) -> str:
    """Return a plot of numbers as a model tells them, by the true ones.

    Of many rows, some are shown, at even distances.
    """
    step = max(1, len(truth) // _MOST_POINTS)
    pairs = list(zip(truth[::step], found[::step], strict=True))
    ticks = _ticks(min(map(min, pairs), default=0.0), max(map(max, pairs), default=1.0))
    low, high = ticks[0], ticks[-1]
    left, top, side = 76, 52, 300

    def place(value: float) -> float:
        return side * (value - low) / (high - low)

    body = [_text(24, 26, "Told and true", size=15, weight=600)]
    for tick in ticks:
        y, x = top + side - place(tick), left + place(tick)
        body.append(f"<path d='M{left} {y:.1f}h{side}' stroke='{_GRID}'/>")
        body.append(_text(left - 8, y + 4, f"{tick:.6g}", size=11, color=_QUIET, anchor="end"))
        label = _text(x, top + side + 16, f"{tick:.6g}", size=11, color=_QUIET, anchor="middle")
        body.append(label)
    body.append(
        f"<path d='M{left} {top + side}L{left + side} {top}' stroke='{_QUIET}' "
        "stroke-dasharray='3 3'/>"
    )
    for true, told in pairs:
        x, y = left + place(true), top + side - place(told)
        body.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2' fill='{_BLUE}' fill-opacity='0.5'/>")
    middle = left + side / 2
    body.append(_text(middle, top + side + 34, "true", color=_QUIET, anchor="middle"))
    body.append(_text(20, top + side / 2, "told", color=_QUIET, anchor="middle", turned=True))
    return _document(left + side + 40, top + side + 48, "Told and true", body)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"

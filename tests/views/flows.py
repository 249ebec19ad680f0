"""Workflows whose runs have everything that a report and a page can meet."""

import math
import time
from pathlib import Path

from pydantic import BaseModel

from handrail import BaseAction, BaseStep, StepResult, action, chain, parallel, step
from handrail.attachments import Markdown, Picture, Plot, Table

NOTES = """# What was learnt

It **confuses** `cats` with dogs; see [the guide](https://example.org/guide).

| class | right | wrong |
|---|---|---|
| cat | 90 | 10 |
| dog | 95 | 5 |

- more pictures of cats
- fewer epochs

> It was run twice.

```python
model.fit(pictures)
```
"""
DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" width="400" height="120">
<rect width="400" height="120" fill="teal"/><circle cx="60" cy="60" r="40" fill="gold"/></svg>"""
HEBREW, ARABIC, EMOJI = "העלאה של תמונות", "تحميل الصور إلى المتجر", "👩‍👩‍👧‍👦 📷 🏳️‍🌈"
UNBROKEN = "s3://acme-raw/" + "2026-11-and-more-of-it/" * 8 + "IMG_0257.jpg"
EVIL = "<script>alert(1)</script> \u202egpj.exe"


def made(name: str, **options: object):
    """Return a step that can be undone."""

    @step(name=name, **options)
    def make(context):
        context.record_rollback("made", name)
        context.log("made", {"summary": f"{name} is there"})
        return {"made": name}

    @make.rollback
    def unmake(context, result):
        context.log("undone", {"summary": f"{name} is gone"})

    return make


def broken(name: str, error: str):
    """Return a step that can be undone, and fails half way."""

    @step(name=name)
    def fail(context):
        context.record_rollback("keys", [1, 2, 3])
        for number in range(1, 301):
            context.log("sent", {"file": f"IMG_{number:04}.jpg", "bytes": number * 1000})
        context.log("error", {"message": f"AccessDenied (403): {error}"})
        raise PermissionError(error)

    @fail.rollback
    def withdraw(context, result):
        context.log("undone", {"summary": "3 objects deleted"})

    return fail


class Close(BaseStep):
    """A step that always runs."""

    name = "close"
    always_run = True
    progress_weight = 0.1

    def execute(self, context):
        context.log("closed", {})
        return StepResult()


close = Close()


# Every kind of plot


@step
def fit(context):
    for epoch in range(40):
        losses = {
            "loss": 2.3 * math.exp(-epoch / 12),
            "val_loss": 2.4 * math.exp(-epoch / 15) + 0.2,
        }
        context.set_metrics({**losses, "epoch": epoch + 1})
    context.set_metrics({"accuracy": 0.94}, higher_is_better=True)
    waves = [math.sin(place / 5) for place in range(60)]
    curves = {"train": [2.0, 1.2, math.nan, 0.7, 0.5], "test": [2.5, 1.9, 1.7, 1.6, 1.5]}
    clouds = {
        kind: [(place % 7 + shift, place * shift + 1) for place in range(30)]
        for kind, shift in {"setosa": 1.0, "virginica": 2.5}.items()
    }
    bars = {"petal": 0.5, "sepal": -0.1, "a name of a feature that is rather long": 0.3}
    right = {row: {column: 90 if row == column else 5 for column in "abc"} for row in "abc"}
    for name, plot in {
        "one line": Plot("line", {"loss": waves}, x="epoch", y="loss"),
        "two lines": Plot("line", curves, x="epoch", y="loss"),
        "eight lines": Plot("line", {f"fold {n}": [n, n + 1, n * 2] for n in range(8)}),
        "logarithmic": Plot(
            "line", {"rate": [(1, 0.1), (10, 1), (1000, 50)]}, log_x=True, log_y=True
        ),
        "one cloud": Plot("scatter", {"points": clouds["setosa"]}, x="width", y="length"),
        "two clouds": Plot("scatter", clouds, x="width", y="length", log_y=True),
        "bars": Plot("bar", {"importance": bars}, x="feature", y="importance"),
        "bars of two": Plot("bar", {"before": bars, "after": {"petal": 0.6}}, x="feature"),
        "confusion": Plot("heatmap", right, x="predicted", y="actual"),
        "no points": Plot("line", {"loss": []}),
    }.items():
        context.attach(name, plot)


plots = action("plots", [made("load"), fit])

# Tables, texts and pictures


@step
def describe(context):
    rows = [
        [f"IMG_{place:04}.jpg", place * 1000, None if place % 3 else "blurred"]
        for place in range(300)
    ]
    wide = [f"a column called {place}" for place in range(14)]
    context.attach("files", Table(["file", "bytes", "why"], rows))
    context.attach("wide", Table(wide, [[place * 1.5 for place in range(14)]] * 3))
    context.attach("notes", Markdown(NOTES))
    context.attach("drawing", Picture(DRAWING.encode(), alt="a circle on a ground"))
    return {"files": 300, "summary": "300 files in 3 kinds"}


class Tables(BaseAction):
    action_name = "tables"

    def setup_steps(self, registry):
        for each in (made("load"), describe, close):
            registry.register(each)

    def result(self, context):
        return {"files": 300, "seen": {"cats": 7, "dogs": 2}, "summary": "300 files in 3 kinds"}


# Groups, chains and sweeps

media = action(
    "media",
    [
        made("fetch"),
        parallel(
            "media",
            [
                [made("resize", timeout=60), made("watermark")],
                made("transcode"),
                [made("make_thumbnails_of_every_page"), made("sort_them"), made("index_them")],
            ],
            concurrency=2,
        ),
        made("publish"),
        close,
    ],
)


class Packing(BaseModel):
    source: str = "photos"
    level: int = 3


class Sending(BaseModel):
    parcel: str = "parcel"
    fail: bool = False


@step
def post(context):
    context.record_rollback("sent", context.options.parcel)
    if context.options.fail:
        raise RuntimeError("the post office is closed")


@post.rollback
def call_back(context, result):
    context.log("undone", {"summary": "it came back"})


class Pack(BaseAction[Packing]):
    action_name = "pack"

    def setup_steps(self, registry):
        registry.register(made("wrap"))

    def result(self, context):
        return {"parcel": "parcel.txt"}


send = action("send", [post, close], params=Sending)
ship = chain("ship", {"pack": Pack, "send": send}, inputs={"send.parcel": "pack.parcel"})


class Training(BaseModel):
    epochs: int = 10
    rate: float = 0.1


@step
def learn(context):
    options = context.options
    context.record_rollback("made", f"{options.rate}.model")
    if options.rate > 0.5:
        raise ValueError("diverged in epoch 3")
    for epoch in range(1, options.epochs + 1):
        reached = {"accuracy": 1 - 1 / (1 + epoch * options.rate)}
        context.set_metrics({"loss": math.exp(-epoch * options.rate)})
        context.set_metrics(reached, higher_is_better=True)


train = action("train", [learn], params=Training)

# What goes wrong

fails = action(
    "fails", [made("connect"), made("read"), broken("send", UNBROKEN), made("index"), close]
)


@step
def call(context):
    context.record_rollback("called", "ada")


@call.rollback
def uncall(context, result):
    raise ConnectionError("nobody answers")


stuck = action("stuck", [made("connect"), call, broken("send", "the disk is full"), close])
undone = action("undone", [made("connect"), made("send")])


@step
def wait(context):
    context.record_rollback("files", list(range(40)))
    for number in range(1, 70):
        context.set_progress(number, 120, "pictures")
        context.log("resized", {"file": f"IMG_{number:04}.jpg"})
    while not Path("go").exists():
        Path("waiting").touch()
        time.sleep(0.05)


@wait.rollback
def stop_waiting(context, result): ...


waiting = action(
    "waiting",
    [
        made("fetch"),
        parallel("media", [[made("resize"), wait], made("transcode")]),
        made("publish"),
    ],
)

# Many items, many steps, odd words


def send_one(item, item_context):
    if item % 40 == 7:
        raise PermissionError(f"IMG_{item:04}.jpg is not yours")


def undo_one(item, item_context, data): ...


@step
def send_files(context):
    context.map_items(
        send_one, range(400), rollback=undo_one, max_failed="50%", executor="threads:2"
    )


items = action("items", [made("scan"), send_files])
many = action("many", [made(f"step_{number}") for number in range(300)])


@step(name="a_step_whose_name_is_as_long_as_names_get_when_nobody_has_to_type_them_by_hand")
def speak(context):
    context.set_status(ARABIC)
    for text in (HEBREW, ARABIC, EMOJI, UNBROKEN, EVIL):
        context.log("said", {"text": text})
    context.set_metrics({f"loss of {HEBREW} and of much more that has a long name": 0.5})
    context.attach(f"{EMOJI} {ARABIC}", Table([HEBREW, "why"], [[UNBROKEN, EMOJI], [EVIL, ARABIC]]))
    context.attach("labels", Plot("bar", {HEBREW: {ARABIC: 3, EMOJI: 2}, "b" * 60: {EVIL: 1}}))
    raise ValueError(f"{HEBREW} {EMOJI} {EVIL}")


class Words(BaseModel):
    target: str = ""
    title: str = ""


words = action("words", [made("העלאה"), speak], params=Words)

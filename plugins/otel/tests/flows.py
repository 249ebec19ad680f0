"""Workflows for the tests; they are run in processes of their own, which may be killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel, SecretStr

from handrail import (
    ActionContext,
    BaseStep,
    BaseStepContext,
    StepResult,
    action,
    chain,
    parallel,
    step,
)
from handrail_otel import traceparent


def exports() -> int:
    """Return how many batches of spans were taken of the runs here."""
    files = Path(".handrail/otel").glob("*")
    return sum(file.read_text().count("\n+") for file in files)


BEFORE = exports()


def dies(place: str) -> None:
    """Kill this process, if the test wants that here, once; not before it has exported a span."""
    mark = Path("die-at")
    if mark.exists() and mark.read_text().strip() == place:
        mark.unlink()
        until = time.monotonic() + 60
        while "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ and exports() == BEFORE:
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)


class Make(BaseStep[BaseStepContext]):
    """Makes a file."""

    progress_weight = 0.1

    def __init__(self, name: str, *, fails: str = "") -> None:
        self.name = name
        self._fails = fails

    def execute(self, context: BaseStepContext) -> StepResult:
        context.record_rollback("file", self.name)
        Path(self.name).write_text("made")
        dies(self.name)
        if self._fails:
            raise ValueError(self._fails)
        return StepResult()

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        for file in result.rollback_data.get("file", ()):
            Path(file).unlink(missing_ok=True)
        dies(f"undo {self.name}")


@step
def tell(context: BaseStepContext) -> None:
    """Write down the span that other programs are told of."""
    Path("traceparent").write_text(str(traceparent(context)))


class Access(BaseModel):
    """What a step that leaks it is given."""

    token: SecretStr


@step
def leak(context: ActionContext) -> None:
    raise RuntimeError(f"no access with {context.params.token.get_secret_value()}")


leaks = action("leaks", [leak], params=Access)


plain = action("plain", [Make("one"), Make("two"), tell])
fails = action("fails", [Make("one"), Make("two", fails="no room")])
three = action("three", [Make("one"), Make("two"), Make("three")])
lanes = action("lanes", [Make("one"), parallel("beside", [[Make("left")], [Make("right")]])])
both = chain("both", [plain, action("after", [Make("last")])])


def double(item: int, _context: object) -> int:
    if item == 13:
        raise ValueError("thirteen")
    return item * 2


@step
def many(context: BaseStepContext) -> None:
    for _ in context.map_items(double, range(40), chunk=10, max_failed=5):
        pass


items = action("items", [many])


@step
def copy(context: BaseStepContext) -> None: ...


copies = action("copies", [copy])


@step
def begin(context: BaseStepContext) -> None:
    info = context.run_info
    assert info is not None
    Path(f"began-{info.number}").touch()


@step
def work(context: BaseStepContext) -> None:
    time.sleep(0.1)


slow = action("slow", [begin, work])


class Sizes(BaseModel):
    """What the runs of a sweep are given."""

    size: int = 1


@step
def measure(context: ActionContext) -> None:
    context.set_metrics({"size": context.params.size})
    Path(f"traceparent-{context.params.size}").write_text(str(traceparent(context)))


measures = action("measures", [measure], params=Sizes)

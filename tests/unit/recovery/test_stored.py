"""What is stored of results and of the context, what is refused, and that no secret is."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pytest
from killing.told import Asked, Context, Does, flow, flow_run, play
from pydantic import BaseModel, SecretStr

from handrail import (
    BaseAction,
    BaseStepContext,
    RuntimeContext,
    StepFailedError,
    StepResult,
    rollback,
)
from handrail.errors import ContextError
from handrail.journal.codec import decode_results, encode_result
from handrail.redact import Mask


@pytest.mark.parametrize(
    "value", [{1: "a"}, math.nan, object(), {"a": [{2: 3}]}], ids=["key", "nan", "object", "deep"]
)
def test_rollback_data_without_a_json_form_fails_its_step(writes, value):
    first = Does("first")
    second = Does("odd", lambda context: StepResult(rollback_data={"key": value}))
    with pytest.raises(StepFailedError, match="'odd' failed: rollback_data of step 'odd'"):
        play(writes, first, second)
    assert len(first.undone) == len(second.undone) == 1
    assert writes.runs()[0].outcome == "rolled_back"


class Awkward:
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


def test_data_without_a_json_form_is_absent():
    made = StepResult(data={"odd": Awkward(), "fine": 1}, error=Awkward())  # type: ignore[arg-type]
    [result] = decode_results([encode_result(made, "step")])
    assert result.data == {"fine": 1}


def test_awkward_results_do_not_break_the_run(writes):
    odd = Does("odd", lambda context: StepResult(data=None, rollback_data={"a": Awkward()}))  # type: ignore[arg-type]
    with pytest.raises(StepFailedError, match="a value is Awkward"):
        play(writes, odd)
    assert writes.runs()[0].outcome == "rolled_back"


def test_names_that_are_no_unicode_survive(writes):
    name = "caf\udce9"

    def work(context: Any) -> StepResult:
        context.record_rollback("file", name)
        context.seen.append(name)
        return StepResult(rollback_data={"other": [name]})

    step = Does("a", work)
    flow_run(writes, step)
    rollback(flow(step), 1, journal=writes, packs=())
    assert step.undone == [{"file": [name], "other": [name]}]


@pytest.mark.parametrize("where", ["execute", "can_skip"])
def test_an_undeclared_attribute_fails_its_step_by_name(writes, where):
    def work(context: Any) -> bool:
        context.extra = 1
        return True

    step = Does("b", work) if where == "execute" else Asked("b", asked=work)
    first = Does("a")
    with pytest.raises(
        StepFailedError, match=r"'b' failed: Context\.extra is not a declared field"
    ):
        play(writes, first, step)
    assert (len(first.undone), len(step.undone)) == (1, int(where == "execute"))


def test_a_value_that_does_not_encode_fails_its_step_by_name(writes):
    def work(context: Any) -> None:
        context.anything = object()

    with pytest.raises(StepFailedError, match=r"'a' failed: Context\.anything cannot be stored"):
        play(writes, Does("a", work))


class Settings(BaseModel):
    """Has a secret."""

    password: SecretStr = SecretStr("x")


@dataclass(kw_only=True)
class WithModel(BaseStepContext):
    """Has one deep inside."""

    settings: list[Settings] = field(default_factory=list)


@dataclass(kw_only=True)
class WithSocket(BaseStepContext):
    """Has something that cannot be stored."""

    lock: threading.Event | None = None


@pytest.mark.parametrize(
    ("kind", "text"), [(WithModel, "contains a secret"), (WithSocket, "cannot be stored")]
)
def test_a_field_that_cannot_be_stored_is_refused_before_the_first_step(writes, kind, text):
    ran: list[int] = []
    with pytest.raises(ContextError, match=text):
        play(writes, Does("a", ran.append), context=kind(RuntimeContext()))
    assert ran == []
    assert writes.runs() == []


class Account(BaseModel):
    """Nested."""

    token: SecretStr


class Params(BaseModel):
    """With secrets at two depths."""

    password: SecretStr
    account: Account


def test_no_secret_is_written_whatever_steps_do_with_it(writes, tmp_path):
    password, token = 'pass"wörd', "t0ken-value"

    def work(context: Any) -> StepResult:
        context.record_rollback("url", f"https://u:{password}@host")
        context.seen.append(token)
        context.anything = {"deep": [password]}
        return StepResult(data={"said": token}, rollback_data={token: [password]})

    def fail(context: Any) -> None:
        raise ValueError(f"401 for {password} and {token}")

    class Secretive(BaseAction[Params]):
        action_name = "secretive"
        context_class = Context

        def setup_steps(self, registry: Any) -> None:
            registry.register(Does("a", work))
            registry.register(Does("b", fail))

    values = {"password": password, "account": {"token": token}}
    with pytest.raises(StepFailedError):
        Secretive(values, packs=()).run(journal=writes)
    written = repr(writes.read(1)) + json.dumps(repr([*chain.from_iterable(writes.commits)]))
    assert "**********" in written
    for secret in (password, token, json.dumps(password)[1:-1]):
        assert secret not in written
        assert secret.encode() not in b"".join(
            path.read_bytes() for path in (tmp_path / ".handrail").glob("runs.db*")
        )


def test_a_mask_leaves_json_readable():
    """A secret that is called like a part of JSON is masked in texts only."""
    mask = Mask(["true", "1", "success", '"'])
    made = StepResult(data={"a": True, "b": "is true", "c": 11})
    text = encode_result(made, "step", mask)
    [result] = decode_results([text])
    assert result.data == {"a": True, "b": "is **********", "c": 11}

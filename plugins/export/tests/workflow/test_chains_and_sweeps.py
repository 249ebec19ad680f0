"""Exports within chains and sweeps: what they hand on, and what is taken back."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pyarrow.parquet as parquet
import pytest
from pydantic import BaseModel

from handrail import BaseAction, ParamsError, RuntimeContext, StepFailedError, chain, step
from handrail_export import DefaultExportAction


class LookParams(BaseModel):
    """The file of an export."""

    data: str
    fail: bool = False


@step(weight=0.1)
def look(context):
    context.found = parquet.read_schema(context.options.data)
    if context.options.fail:
        raise ValueError("told to fail")


class LookAction(BaseAction[LookParams]):
    """An action that reads what an export wrote."""

    action_name = "look"

    def setup_steps(self, registry: Any) -> None:
        registry.register(look)

    def result(self, context: Any) -> Any:
        return {"types": {each.name: str(each.type) for each in context.found}}


def chained(inputs):
    return chain("both", [DefaultExportAction, LookAction], inputs=inputs)


def test_the_next_action_gets_the_file_and_the_types_of_its_columns(table, here, seen):
    """Where nothing fails; else the export is taken back too."""
    made = chained({"look.data": "export.output_path"})
    params = {"source": table(3), "table": "item", "target": "out.parquet"}
    runtime = RuntimeContext(logger=seen)
    result = made.run({"export": params}, runtime, packs=())
    assert result["look"]["types"] == {
        "id": "int64",
        "name": "string",
        "price": "double",
        "kind": "string",
    }
    failing = {"export": {**params, "target": "again.parquet"}, "look": {"fail": True}}
    with pytest.raises(StepFailedError, match="told to fail"):
        made.run(failing, runtime, packs=())
    assert sorted(path.name for path in here.glob("*.parquet")) == ["out.parquet"]


def test_an_output_that_is_not_there_is_refused_before_anything_runs(table, here):
    params = {"source": table(3), "table": "item", "target": "out.parquet"}
    with pytest.raises(Exception, match="output_path") as raised:
        chained({"look.data": "export.path"}).run({"export": params}, packs=())
    assert not isinstance(raised.value, StepFailedError | ParamsError)
    assert not (here / "out.parquet").exists()


def test_an_output_of_another_type_than_the_param_undoes_the_chain(table, here):
    params = {"source": table(3), "table": "item", "target": "out.parquet"}
    with pytest.raises(StepFailedError, match="look cannot begin: data"):
        chained({"look.data": "export.files"}).run({"export": params}, packs=())
    assert not (here / "out.parquet").exists()


def handrail(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "handrail", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_sweep(table, here, world):
    """An export to each of several targets is a run of its own, and all are one undo."""
    name = table(4)
    before = world()
    packs = ("--only-packs", "handrail-export,handrail-workers")
    words = ("run", "export", name, "--table", "item", *packs)
    handrail(*words, "--over", "target=a.csv,b.jsonl,c", "--over", "limit=2", "-q")
    assert len((here / "a.csv").read_text().splitlines()) == 3
    shown = json.loads(handrail("show", "1", "--json"))["sweep"]
    assert [each["metrics"]["exported_count"] for each in shown["runs"]] == [2, 2, 2]
    assert (here / "c" / "manifest.json").is_file()
    handrail("rollback", "1", "--yes", "-q")
    assert world() == before

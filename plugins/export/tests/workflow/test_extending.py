"""What others add: steps of packs, formats of packs, params and contexts of one's own."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest
from pydantic import BaseModel

from handrail import Run, StepWrapper, Undo
from handrail_export import (
    BaseExportAction,
    DefaultExportAction,
    ExportContext,
    ExportParams,
    FinalizeStep,
)
from handrail_export.errors import ExportError, FormatError
from handrail_export.formats import find_format, offers
from handrail_export.formats.tables import CsvFormat
from handrail_storage.backend import LocalStore
from handrail_testing import FakePacks

STEPS = """
from pathlib import Path
from handrail import BaseStep, StepResult, hookimpl
from handrail_export.context import ExportContext


class WriteCard(BaseStep[ExportContext]):
    '''Write a card that describes the data, beside it.'''

    name = "write_card"
    progress_weight = 0.05

    def execute(self, context):
        card = Path(context.use_target().address, "CARD.md")
        context.record_rollback("cards", str(card))
        card.write_text(f"{context.exported_count} rows as {context.layout.format}")
        return StepResult(data={"summary": "a card"})

    def rollback(self, context, result):
        for card in result.rollback_data.get("cards", []):
            Path(card).unlink(missing_ok=True)


@hookimpl
def insert_after(action, step):
    return WriteCard() if step.name == "save_files" and "export" in action.lineage else None
"""

REFUSE = """
from handrail import hookimpl, step

@step
def refuse(context):
    raise PermissionError("no exports on Fridays")

@hookimpl
def insert_before(action, step):
    return refuse if step.name == "finalize" else None
"""

FORMATS = """
from handrail_export import CollectionFormat, RowFormat


class LinesFormat(RowFormat):
    '''One value a line.'''

    ending = ".lines"

    def check(self, columns):
        if len(columns) != 1:
            from handrail_export.errors import FormatError
            raise FormatError("the format acme-lines takes one column", ways_out=("--column NAME",))

    def write(self, rows, path, partition_by=()):
        count = 0
        with open(path, "x") as file:
            for batch in rows.batches():
                for row in batch.to_pylist():
                    file.writelines(f"{value}\\n" for value in row.values())
                    count += 1
        return count


class ListFormat(CollectionFormat):
    '''The names of the pictures.'''

    def write(self, pictures, folder, categories):
        (folder / "list.txt").write_text("".join(f"{each.path}\\n" for each in pictures))


odd = "no format"
"""


@pytest.fixture
def packs():
    with FakePacks() as made:
        yield made


@pytest.fixture
def formats(tmp_path_factory, monkeypatch):
    """Install a distribution that offers formats."""

    def install(name="acme-formats", **points):
        site = tmp_path_factory.mktemp("site")
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(FORMATS)
        info = site / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = [f"{point} = {module}:{value}" for point, value in points.items()]
        group = "[handrail_export.formats]"
        (info / "entry_points.txt").write_text("\n".join([group, *lines]) + "\n")
        monkeypatch.syspath_prepend(str(site))

    yield install
    for name in [each for each in sys.modules if each.startswith("acme_")]:
        del sys.modules[name]


def test_step_of_a_pack(packs, table, export, here):
    """A pack puts a step of its own into the export, which sees what the others have done."""
    packs.add("acme-card", "1.0", hooks=STEPS)
    done = export(table(3), "out", table="item", packs=packs.provider)
    assert done.result["steps_total"] == 7
    assert (here / "out" / "CARD.md").read_text() == "3 rows as parquet"


def test_steps_of_packs_are_undone(packs, table, export, world):
    """When a step of one pack fails, those of others and of the export are undone."""
    packs.add("acme-card", "1.0", hooks=STEPS)
    packs.add("acme-fridays", "1.0", hooks=REFUSE)
    name = table(3)
    before = world()
    done = export(name, "out", table="item", packs=packs.provider, fails=True)
    assert done.message == "no exports on Fridays"
    assert world() == before


def test_format_for_rows_of_a_pack(formats, table, export, here):
    """A format of a pack is listed without importing it, found by ending or name, and used."""
    formats(lines="LinesFormat")
    assert ("lines", "acme-formats 1.2") in [(each.name, each.pack) for each in offers()]
    assert "acme_formats" not in sys.modules
    export(table(3), "out.lines", table="item", columns=["name"])
    assert (here / "out.lines").read_text() == "item 1\nitem 2\nitem 3\n"
    done = export("rows.db", "out2.lines", table="item", fails=True)
    assert (done.message, done.ways_out) == (
        "the format acme-lines takes one column",
        "--column NAME",
    )
    done = export("rows.db", "out", table="item", format="lines", partition_by=["id"], fails=True)
    assert done.message == "the format lines cannot be partitioned"


def test_format_for_collections_of_a_pack(formats, shapes, export, here):
    """What a collection format writes is saved with the pictures."""
    formats(list="ListFormat")
    export("shapes.db", "out", format="list", limit=2)
    told = (here / "out" / "list.txt").read_text().splitlines()
    assert told == ["images/deep/scene_3.png", "images/scene_1.png"]
    assert all((here / "out" / each).is_file() for each in told)


def test_formats_that_cannot_be_used(formats):
    """What is offered twice, or is no format, is told with who offers it."""
    formats(csv="LinesFormat", odd="odd", gone="Nope")
    with pytest.raises(FormatError, match=r"csv is offered by .*acme-formats 1\.2"):
        find_format("csv")
    with pytest.raises(FormatError, match=r"odd of acme-formats 1\.2 is neither a RowFormat nor"):
        find_format("odd")
    with pytest.raises(FormatError, match=r"gone of acme-formats 1\.2 cannot be loaded: Attribute"):
        find_format("gone")
    assert find_format("parquet")


class More(ExportParams):
    """Params with one more."""

    greeting: str = "hello"


class Greeted(BaseExportAction[More]):
    """An export of one's own, with some of the steps."""

    def setup_steps(self, registry):
        for each in DefaultExportAction.partial({}, packs=()).plan().steps:
            registry.register(each.step)


def test_params_of_ones_own(table, export, here):
    """Params may be derived, and the base action counts what the steps have set."""
    done = export(table(2), "out/", table="item", action=Greeted, greeting="moin")
    assert {k: done.result[k] for k in ("exported_count", "output_path")} == {
        "exported_count": 2,
        "output_path": "out",
    }
    assert json.loads((here / "out" / "manifest.json").read_text())["exported_count"] == 2


class Bare(BaseModel):
    name: str = "x"


class Unfit(BaseExportAction[Bare]):
    def setup_steps(self, registry):
        for each in DefaultExportAction.partial({}, packs=()).plan().steps:
            registry.register(each.step)


def test_params_that_do_not_fit():
    """Where the params lack what the default steps need, that is said."""
    with pytest.raises(Exception, match="cannot work with these params") as raised:
        Unfit({}, packs=()).run()
    assert "ExportParams" in "".join(raised.value.__cause__.ways_out)


def test_finalize_alone():
    """The step that always runs does so also where nothing was begun."""

    class Last(BaseExportAction[Bare]):
        def setup_steps(self, registry):
            registry.register(FinalizeStep())

    assert Last({}, packs=()).run()["success"]


class Again(StepWrapper):
    """Undo a step that fails, and try it once more."""

    name = "again"

    def around(self, context):
        try:
            return (yield Run())
        except (OSError, ExportError):
            yield Undo()
            return (yield Run())


@pytest.mark.parametrize("where", ["convert_data", "save_files"])
def test_another_attempt(table, export, here, monkeypatch, where):
    """A step that is undone and tried again begins anew, and the export is whole."""
    owner, method = {
        "convert_data": (CsvFormat, "write"),
        "save_files": (LocalStore, "flush"),
    }[where]
    usual, calls = getattr(owner, method), []

    def once_broken(self, *given):
        answer = usual(self, *given)
        calls.append(given)
        if len(calls) == 1:
            raise TimeoutError("not today")
        return answer

    class Patient(DefaultExportAction):
        def setup_steps(self, registry):
            super().setup_steps(registry)
            registry.wrap(where, Again)

    monkeypatch.setattr(owner, method, once_broken)
    done = export(
        table(4), "out", table="item", format="csv", partition_by=["kind"], action=Patient
    )
    assert done.result["exported_count"] == 4
    assert len(calls) >= 2
    names = {path.name for path in (here / "out").glob("[!.]*/*")}
    assert names == {"data_0.csv"}
    assert (here / "out" / "manifest.json").is_file()


def test_fields_are_not_filled_with_params():
    """A param fills a field of its name, so no field but `collection` is called like one."""
    fields = {each.name for each in dataclasses.fields(ExportContext)}
    assert fields & set(ExportParams.model_fields) == {"collection"}

"""Migrated exports: the six steps, what a plugin's exporter is told, and the undo."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from handrail import StepFailedError, rollback, step
from handrail.journal import SqliteJournal
from handrail_synapse import DefaultExportAction, ExportContext, RuntimeContext
from handrail_synapse.export.action import BaseExportAction, ExportAction
from handrail_synapse.export.exporter import BaseExporter
from handrail_synapse.export.handlers import TargetHandlerFactory
from handrail_synapse.export.params import ExportParams
from handrail_synapse.export.steps import ConvertDataStep, FetchResultsStep, PrepareExportStep
from handrail_synapse.folders import make_folder, remove_folders

STEPS = [
    *("initialize", "fetch_results", "prepare_export"),
    *("convert_data", "save_files", "finalize"),
]


class Exporter(BaseExporter):
    """One that adds the name of the project, and writes a list of all items."""

    def before_convert(self, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "data": dict(data["data"])}

    def convert_data(self, data: dict[str, Any]) -> dict[str, Any]:
        data["data"]["classes"] = self.params["configuration"]["classes"]
        return data

    def additional_file_saving(self, unique_export_path: Path) -> None:
        about = {"count": self.params["count"], "shape": self.params.get("shape")}
        (unique_export_path / "all.json").write_text(json.dumps(about))


class Export(DefaultExportAction[ExportParams]):
    action_name = "export"
    entrypoint = Exporter


@pytest.fixture
def params() -> dict[str, Any]:
    return {
        "name": "pots",
        "path": "/out",
        "storage": 1,
        "target": "task",
        "filter": {"project": 3},
        "extra_params": {"shape": "round"},
    }


@pytest.fixture
def tasks(client: Any, source: Path) -> list[dict[str, Any]]:
    """Two tasks with an image each."""
    for number, name in enumerate(("jug", "pot"), 1):
        about = {
            "url": str(source / "image_1" / ("deep" if name == "pot" else "") / f"{name}.jpg"),
            "file_name_original": f"shots/{name}.jpg",
            "is_primary": True,
        }
        unit = {"files": {"data_meta_1": {"url": "-"}, "image_1": about}}
        client.tasks.append({"id": number, "data": {"height": number}, "data_unit": unit})
    made: list[dict[str, Any]] = client.tasks
    return made


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def run(action: type[BaseExportAction[Any]], params: dict[str, Any], runtime: Any) -> Any:
    return action(params, runtime, packs=()).run()


def failing(base: type[Any] = Export, after: str = "finalize") -> type[Any]:
    class Failing(base):  # type: ignore[misc]
        action_name = "export"

        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)

            @step
            def tell(context: ExportContext) -> None:
                raise ConnectionError("nobody listens")

            registry.insert_after(after, tell)

    return Failing


def test_what_is_written_and_asked(
    params: dict[str, Any], runtime: RuntimeContext, client: Any, tasks: Any, source: Path
) -> None:
    """Each item is a JSON file and its original file; what a plugin converts is what is written."""
    assert [each.name for each in Export(params, runtime, packs=()).plan().steps] == STEPS
    result = run(Export, params, runtime)
    out = source.parent / "out"
    assert result == {
        "success": True,
        "steps_executed": 6,
        "steps_total": 6,
        "exported_count": 2,
        "failed_count": 0,
        "total_count": 2,
        "output_path": str(out),
    }
    assert tree(out / "pots") == {
        "all.json": '{"count": 2, "shape": "round"}',
        "labels/jug.json": '{"height": 1, "classes": ["pot"]}',
        "labels/pot.json": '{"height": 2, "classes": ["pot"]}',
        "origin_files/jug.jpg": "a jug",
        "origin_files/pot.jpg": "a pot",
    }
    asked = [given for name, given in client.calls if name == "list_tasks"]
    assert [each[1] for each in asked] == [False, True]
    assert asked[1][0] == {
        "project": 3,
        "expand": ["data_unit"],
        "page_size": 50,
        "response_mode": "presigned",
        "pagination": "cursor",
        "ordering": "-id",
    }


def test_what_is_told(
    params: dict[str, Any], runtime: RuntimeContext, notes: Any, tasks: Any
) -> None:
    """The logger hears of each file, of the progress of both loops, and of the end."""
    run(Export, params, runtime)
    assert notes.events().count("export_original_file") == 2
    assert notes.events().count("export_data_file") == 2
    assert ("success", "2 items exported") in notes.messages()
    steps = {name for *_, name in notes.progress}
    assert {"convert_data", "save_files"} <= steps
    assert ({"stand_by": 0, "success": 2, "failed": 0}, "data_file") in notes.metrics


def test_steps_between_read_the_data(
    params: dict[str, Any], runtime: RuntimeContext, tasks: Any
) -> None:
    """A plugin's steps see the items, what the exporter is told, and the folder."""
    seen: list[Any] = []

    class Looking(Export):
        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)

            @step
            def look(context: ExportContext) -> None:
                items = list(context.export_items)
                context.export_items = iter(items)
                seen.extend(
                    [
                        [sorted(each) for each in items],
                        context.export_params["shape"],
                        context.unique_export_path.name if context.unique_export_path else None,
                        sorted(context.output_paths),
                        context.project_id,
                        context.params["extra_params"],
                    ]
                )

            registry.insert_after("prepare_export", look)

    assert run(Looking, params, runtime)["exported_count"] == 2
    assert seen == [
        [["data", "files", "id"]] * 2,
        "round",
        "pots",
        ["label_output_path", "origin_files_output_path"],
        3,
        {"shape": "round"},
    ]


def test_params_of_a_plugin_reach_its_exporter(
    params: dict[str, Any], runtime: RuntimeContext, tasks: Any, source: Path
) -> None:
    """What a plugin adds to the params is told to the exporter."""

    class More(ExportParams):
        shape: str

    class Own(Export):
        params_model = More

    del params["extra_params"]
    run(Own, {**params, "shape": "flat"}, runtime)
    assert json.loads((source.parent / "out/pots/all.json").read_text())["shape"] == "flat"


def test_a_failure_removes_the_export(
    params: dict[str, Any], runtime: RuntimeContext, tasks: Any, source: Path, notes: Any
) -> None:
    """If a later step fails, the folder is removed; one of another export of that name stays."""
    run(Export, params, runtime)
    with pytest.raises(StepFailedError, match="nobody listens"):
        run(failing(), params, runtime)
    assert [path.name for path in (source.parent / "out").iterdir()] == ["pots"]
    assert ("error", "The export failed in the step tell") in notes.messages()


def test_undo_later(
    params: dict[str, Any], runtime: RuntimeContext, client: Any, tasks: Any, source: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    """A journaled export can be rolled back by another call, without the service."""
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        Export(params, runtime, packs=()).run(journal=journal)
        assert (source.parent / "out" / "pots").is_dir()
        client.failing = {"get_storage": ConnectionError(), "list_tasks": ConnectionError()}
        rollback(Export, 1, journal=journal, ctx=runtime, packs=())
    assert not list((source.parent / "out").iterdir())


def test_a_folder_that_took_its_place_is_left(tmp_path: Path) -> None:
    """An undo removes the folder that was made, and no other one of its name."""
    recorded: dict[str, list[Any]] = {}

    def record(key: str, value: Any) -> None:
        recorded.setdefault(key, []).append(value)

    folder: Path = make_folder(tmp_path / "a" / "pots", record)
    (folder / "jug").write_text("a jug")
    folder.rename(tmp_path / "moved")
    folder.mkdir()
    (folder / "mine").write_text("of another program")
    assert remove_folders(recorded) == []
    assert tree(tmp_path) == {"a/pots/mine": "of another program", "moved/jug": "a jug"}
    shutil.rmtree(folder)
    (tmp_path / "moved").rename(folder)
    assert remove_folders(recorded) == [str(folder)]
    assert list((tmp_path / "a").iterdir()) == []
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a", record)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_items_of_one_name(
    params: dict[str, Any], runtime: RuntimeContext, client: Any, tasks: Any, source: Path
) -> None:
    """Items whose files have one name are all written, and listed; wrong ones are listed too."""
    same = {"files": {"image_1": {**tasks[0]["data_unit"]["files"]["image_1"]}}}
    client.tasks += [
        {"id": 7, "data": {"height": 7}, "data_unit": same},
        {"id": 8, "data": None, "data_unit": same},
        {"id": 9, "data": {"height": 9}, "files_manifest": None},
        {"id": 10, "data": {}, "files_manifest": {"a": {"file_name_original": ".."}}},
    ]

    class Plain(DefaultExportAction[ExportParams]):
        action_name = "export"

    params["save_original_file"] = False
    result = run(Plain, params, runtime)
    assert (result["exported_count"], result["failed_count"]) == (4, 2)
    folder = source.parent / "out" / "pots"
    assert sorted(path.name for path in (folder / "labels").iterdir()) == [
        *("9.json", "jug.json", "jug__7.json", "pot.json")
    ]
    assert json.loads((folder / "error_file_list.json").read_text())["json_file_name"] == [
        ["jug__8.json", "data is Null"],
        ["<unknown>.json", "file information missing (file_name_original)"],
    ]
    renamed = json.loads((folder / "filename_collisions.json").read_text())
    assert [each["item_id"] for each in renamed] == [7, 8]


def test_names_do_not_depend_on_the_order(runtime: RuntimeContext) -> None:
    """Names that are given before the first is written are the same in any order."""
    entries = [(2, "a.jpg"), (1, "a.png"), (3, "a__2.jpg")]
    for given in (entries, entries[::-1]):
        names = BaseExporter(runtime, iter(()), "out").build_output_stem_manifest(given)
        assert names == {1: "a", 2: "a__2_2", 3: "a__2"}


def test_nothing_written_is_a_failure(
    params: dict[str, Any], runtime: RuntimeContext, client: Any, source: Path
) -> None:
    """An export of which no item could be written fails, and leaves nothing."""

    class Plain(DefaultExportAction[ExportParams]):
        action_name = "export"

    client.tasks = [{"id": 1, "data": None, "files_manifest": None}]
    with pytest.raises(StepFailedError, match=r"export produced no files: 1 item"):
        run(Plain, params, runtime)
    assert not list((source.parent / "out").iterdir())


def test_without_items(
    params: dict[str, Any], runtime: RuntimeContext, client: Any, source: Path
) -> None:
    """Without items nothing is converted; an exporter that wants to, writes what is for all."""
    result = run(Export, params, runtime)
    assert (result["total_count"], result["steps_executed"]) == (0, 3)

    class Empty(Exporter):
        finalize_empty_export = True

    class Own(Export):
        entrypoint = Empty

    run(Own, params, runtime)
    assert json.loads((source.parent / "out/pots(1)/all.json").read_text()) == {
        "count": 0,
        "shape": "round",
    }


def test_a_dry_run(
    params: dict[str, Any], runtime: RuntimeContext, tasks: Any, source: Path
) -> None:
    """The steps that only read run without the folder of the export, and make no exporter."""
    context = Export(params, runtime, packs=()).create_context()
    for each in (FetchResultsStep(), PrepareExportStep(), ConvertDataStep()):
        assert each.execute(context).success
    assert (context.total_count, context.exporter) == (2, None)
    assert not (source.parent / "out").exists()


def test_a_filter_that_the_service_would_leave_out(
    params: dict[str, Any], runtime: RuntimeContext, client: Any
) -> None:
    """It would export more than was asked for, so it is an error, and nothing is asked."""
    params["filter"]["colour"] = "red"
    with pytest.raises(StepFailedError, match=r"Unsupported export filter key\(s\): colour"):
        run(Export, params, runtime)
    assert client.asked("list_tasks") == 0


@pytest.mark.parametrize(
    ("target", "method", "given", "asked"),
    [
        ("assignment", "list_assignments", {"project": 3, "page_size": "7"}, {"page_size": 7}),
        (
            "ground_truth",
            "list_ground_truth_events",
            {"ground_truth_dataset_version": 4},
            {"ground_truth_dataset_versions": 4, "ordering": "-pgh_id", "page_size": 200},
        ),
    ],
)
def test_other_targets(
    target: str, method: str, given: dict[str, Any], asked: dict[str, Any]
) -> None:
    """Each target is asked for by its method; without a number of items, pages have numbers."""
    seen: list[dict[str, Any]] = []

    class Client:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            assert name == method

            def ask(**options: Any) -> Any:
                if not options["list_all"]:
                    raise ConnectionError
                seen.append(options["params"])
                item = {"pgh_id": 5, "data": {}, "file": {"m": 1}, "data_unit": None}
                return iter([item]), 1

            return ask

    handler = TargetHandlerFactory.get_handler(target, {"export_page_size": 200})
    results, count = handler.get_results(Client(), given)
    assert count == 1
    assert asked.items() <= seen[0].items()
    assert "pagination" not in seen[0]
    files = {"m": 1} if target == "assignment" else {}
    assert list(handler.get_export_item(results)) == [{"data": {}, "files": files, "id": 5}]


def test_a_url_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data kept elsewhere is fetched by its URL, and asked for again if that is too old."""
    asked: list[Any] = []

    def opened(url: str) -> Any:
        if url == "old":
            raise HTTPError(url, 403, "expired", Message(), None)
        return io.BytesIO(json.dumps({"from": url}).encode())

    class Client:
        def list_tasks(self, *, params: Any, list_all: bool = False, **options: Any) -> Any:
            asked.append(params)
            data = {"mode": "presigned", "presigned_url": "new"}
            return {"count": 1, "results": [{"id": 1, "data": data}]}

    monkeypatch.setattr("handrail_synapse.download.opened", opened)
    handler = TargetHandlerFactory.get_handler("task")
    handler._client = Client()
    kept = {"mode": "inline", "truncated": True, "presigned_url": "old"}
    rows = [{"id": 1, "data": kept}, {"id": 2, "data": {"mode": "inline"}}]
    found = [each["data"] for each in handler.get_export_item(rows)]
    assert found == [{"from": "new"}, {"mode": "inline"}]
    assert [each["id"] for each in asked] == [1]
    with pytest.raises(HTTPError):
        next(iter(handler.get_export_item([{"data": kept}])))


def test_a_list_of_results_outlives_the_process(runtime: RuntimeContext) -> None:
    """A list that a step of a plugin puts into `results` is kept; what fetches is not consumed."""
    context = ExportContext(runtime)
    assert context.results is None
    context.results = [{"id": 1}]
    assert context.kept_results == [{"id": 1}]
    other = ExportContext(runtime)
    other.kept_results = context.kept_results
    assert other.results == [{"id": 1}]
    fetched = iter([1, 2])
    context.results = fetched
    assert (context.kept_results, list(context.results)) == (None, [1, 2])


def test_without_steps(
    params: dict[str, Any], runtime: RuntimeContext, tasks: Any, source: Path
) -> None:
    """The older export without steps writes the same."""

    class Simple(ExportAction[ExportParams]):
        entrypoint = Exporter

    out = source.parent / "out"
    assert run(Simple, params, runtime) == {"export_path": str(out)}
    assert sorted(tree(out / "pots")) == [
        *("all.json", "labels/jug.json", "labels/pot.json"),
        *("origin_files/jug.jpg", "origin_files/pot.jpg"),
    ]


KILLED = """\
import os, sys
from types import SimpleNamespace

import handrail_synapse
from handrail.journal import SqliteJournal
from handrail_synapse.export.exporter import BaseExporter

class Client:
    def get_storage(self, number):
        return SimpleNamespace(provider="local", configuration={"location": sys.argv[1]})
    def get_project(self, number):
        return {}
    def list_tasks(self, *, params, list_all=False, **options):
        tasks = [{"id": n, "data": {"n": n}, "files_manifest": None} for n in range(3)]
        return (iter(tasks), 3) if list_all else {"count": 3}

class Exporter(BaseExporter):
    def convert_data(self, data):
        if data["id"] == 1 and len(sys.argv) > 3:
            os.kill(os.getpid(), 9)
        return data

class Export(handrail_synapse.DefaultExportAction):
    action_name = "export"
    entrypoint = Exporter

runtime = handrail_synapse.RuntimeContext(client=Client())
params = {"name": "pots", "path": "out", "storage": 1, "target": "task",
          "filter": {"project": 3}, "save_original_file": False}
if __name__ == "__main__":
    Export(params, runtime, packs=()).run(journal=SqliteJournal(sys.argv[2]))
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is different elsewhere")
@pytest.mark.parametrize("then", ["resume", "rollback"])
def test_a_killed_export(tmp_path: Path, then: str) -> None:
    """After kill -9 between two items, another process finishes the export, or removes it."""
    (tmp_path / "killed.py").write_text(KILLED)
    going_on = (
        f"import sys; sys.argv[1:] = [{str(tmp_path)!r}, ''];"
        "import handrail, killed; from handrail.journal import SqliteJournal;"
        f"handrail.{then}(killed.Export, 1, journal=SqliteJournal('j.db'), ctx=killed.runtime,"
        " packs=())"
    )
    first = ["killed.py", str(tmp_path), "j.db", "die"]
    codes = [
        subprocess.run([sys.executable, *words], cwd=tmp_path, check=False, timeout=120).returncode
        for words in (first, ["-c", going_on])
    ]
    assert codes == [-9, 0]
    written = tree(tmp_path / "out")
    wanted = {f"pots/labels/{n}.json": f'{{"n": {n}}}' for n in range(3)}
    assert written == (wanted if then == "resume" else {})
    assert (tmp_path / "out" / "pots").exists() is (then == "resume")

"""An upload with this pack: what is infected does not leave, and no plan goes without a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from acme_scan import hooks
from acme_scan.command import scan
from acme_scan.settings import ScanSettings
from acme_scan.signatures import eicar
from acme_scan.steps import InfectedError, ScanFiles
from click.testing import CliRunner

from handrail import PlanError, StepFailedError, StepRegistry, action, step
from handrail_upload import DefaultUploadAction


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files, one of them infected."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "source"
    folder.mkdir()
    for name, content in (("a.txt", b"a"), ("b.txt", eicar()), ("c.txt", b"c")):
        (folder / name).write_bytes(content)
    return folder


def params(source: Path) -> dict[str, Any]:
    return {"source": str(source), "target": str(source.parent / "target")}


def sent(source: Path) -> list[str]:
    target = source.parent / "target"
    return sorted(path.name for path in target.glob("*.txt"))


class Upload(DefaultUploadAction):
    """An upload with the scan in it, whose settings a test can choose."""

    settings = ScanSettings(scanner="builtin")

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        super().setup_steps(registry)
        registry.insert_before("upload_files", ScanFiles(self.settings))


def test_the_scan_stands_before_what_is_sent(source: Path) -> None:
    plan = DefaultUploadAction(params(source), packs=[hooks]).plan()
    names = [planned.name for planned in plan]
    assert names.index("scan_files") == names.index("upload_files") - 1


def test_an_infected_file_stops_the_upload_before_anything_is_sent(source: Path) -> None:
    with pytest.raises(StepFailedError, match=r"b\.txt is infected") as error:
        Upload(params(source), packs=()).run()
    assert isinstance(error.value.__cause__, InfectedError)
    assert sent(source) == []


def test_infected_units_can_be_left_out(source: Path) -> None:
    class Lenient(Upload):
        settings = ScanSettings(scanner="builtin", on_found="skip")

    Lenient(params(source), packs=()).run()
    assert sent(source) == ["a.txt", "c.txt"]


def test_a_clean_upload_says_who_scanned_it(source: Path) -> None:
    (source / "b.txt").write_bytes(b"clean")
    upload = Upload(params(source), packs=())
    seen: list[str] = []
    upload.run(observers=[lambda event: seen.append(str(event))])
    assert any("3 clean (built-in signatures)" in each for each in seen)
    assert sent(source) == ["a.txt", "b.txt", "c.txt"]


def test_a_file_above_the_limit_is_refused(source: Path) -> None:
    class Small(Upload):
        settings = ScanSettings(scanner="builtin", max_size=2)

    with pytest.raises(StepFailedError, match="more than are scanned"):
        Small(params(source), packs=()).run()
    assert sent(source) == []


def test_a_real_clamd_scans_an_upload(source: Path, clamd: str) -> None:
    class Real(Upload):
        settings = ScanSettings(socket=clamd)

    with pytest.raises(StepFailedError, match=r"b\.txt is infected: Eicar-Test-Signature"):
        Real(params(source), packs=()).run()
    (source / "b.txt").unlink()
    Real(params(source), packs=()).run()
    assert sent(source) == ["a.txt", "c.txt"]


def test_no_other_pack_takes_the_scan_out() -> None:
    class Careless:
        """Wants uploads to be quick."""

    from handrail import hookimpl

    @hookimpl
    def setup_steps(registry: Any) -> None:
        registry.unregister("scan_files")

    Careless.setup_steps = staticmethod(setup_steps)  # type: ignore[attr-defined]
    with pytest.raises(PlanError, match="the plan of upload") as error:
        DefaultUploadAction.partial({}, packs=[hooks, Careless()]).plan()
    assert [problem.code for problem in error.value.problems] == ["final-step"]


def test_a_plan_that_sends_without_a_scan_is_vetoed() -> None:
    """A step of that name in a workflow whose files the scan cannot see."""

    @step
    def upload_files(context: Any) -> None: ...

    with pytest.raises(PlanError) as error:
        action("backup", [upload_files]).plan(packs=[hooks])
    (problem,) = error.value.problems
    assert problem.code == "unscanned"
    assert "--no-pack acme-scan" in problem.ways_out[-1]


def test_the_command_scans_folders(source: Path) -> None:
    done = CliRunner().invoke(scan, ["--builtin", str(source)])
    assert done.exit_code == 1
    assert f"{source}/b.txt: Eicar-Test-Signature" in done.output
    assert "2 clean, 1 infected (built-in signatures)" in done.output
    (source / "b.txt").unlink()
    assert CliRunner().invoke(scan, ["--builtin", str(source)]).exit_code == 0

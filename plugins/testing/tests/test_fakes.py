"""FakePacks are distributions like any other: found by metadata, imported when used, then gone."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from handrail import PackError, action, step
from handrail.packs import installed_packs
from handrail_testing import FakePacks, run_action

HOOKS = """
    from handrail import hookimpl
    from acme_scan.steps import scan_files

    @hookimpl
    def insert_before(action, step):
        return scan_files if step.name == "upload_files" else None
"""
STEPS = """
    from handrail import step

    @step
    def scan_files(context): ...
"""


@step
def upload_files(context): ...


upload = action("upload", [upload_files])


@pytest.fixture
def packs():
    with FakePacks() as made:
        yield made


def add_scan(packs: FakePacks):
    return packs.add("acme-scan", "1.4", hooks=HOOKS, modules={"acme_scan/steps.py": STEPS})


def test_they_shape_an_action(packs: FakePacks) -> None:
    add_scan(packs)
    run_action(upload, packs=packs.provider).ran("scan_files", "upload_files")
    run_action(upload).ran("upload_files")


def test_they_are_installed_as_far_as_anybody_can_see(packs: FakePacks) -> None:
    fake = add_scan(packs)
    found = importlib.metadata.distribution("acme-scan")
    assert found.version == "1.4"
    assert {str(file) for file in found.files or ()} >= {"acme_scan/steps.py", "acme_scan/hooks.py"}
    (record,) = [each for each in installed_packs().records if each.id == "acme-scan"]
    assert (record.status, record.problems) == ("on", ())
    assert record.modules == ("acme_scan.hooks",)
    for file in found.files or ():
        if file.hash is not None:
            assert Path(str(file.locate())).stat().st_size == file.size
    assert fake.info.name == "acme_scan-1.4.dist-info"


def test_nothing_is_imported_until_it_is_used(packs: FakePacks) -> None:
    packs.add("acme-bad", hooks="raise RuntimeError('imported')")
    provider = packs.provider
    assert [record.id for record in provider.records] == ["acme-bad"]
    with pytest.raises(PackError, match="1 pack cannot be used"):
        run_action(upload, packs=provider)


def test_everything_is_gone_at_the_end() -> None:
    with FakePacks() as packs:
        add_scan(packs)
        run_action(upload, packs=packs.provider)
        place = packs.folder
        assert "acme_scan.steps" in sys.modules
    assert not place.exists()
    assert str(place) not in sys.path
    assert not [name for name in sys.modules if name.startswith("acme_scan")]


def test_a_pack_can_be_replaced_by_its_next_version(packs: FakePacks) -> None:
    add_scan(packs)
    run_action(upload, packs=packs.provider).ran("scan_files", "upload_files")
    packs.remove("acme_scan")
    run_action(upload, packs=packs.provider).ran("upload_files")
    packs.add(
        "acme-scan",
        "1.5",
        hooks=HOOKS.replace("before", "after"),
        modules={"acme_scan/steps.py": STEPS},
    )
    run_action(upload, packs=packs.provider).ran("upload_files", "scan_files")


def test_a_folder_of_your_own_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with FakePacks(tmp_path) as packs:
        add_scan(packs)
    assert (tmp_path / "mine").read_text() == "x"
    assert not list(tmp_path.glob("*.dist-info"))


def test_mistakes_are_told(packs: FakePacks) -> None:
    add_scan(packs)
    with pytest.raises(ValueError, match="is there already"):
        packs.add("Acme.Scan")
    with pytest.raises(ValueError, match="cannot be the name"):
        packs.add("acme scan")
    with pytest.raises(ValueError, match="there are: acme-scan"):
        packs.remove("acme-scam")
    with pytest.raises(RuntimeError, match="context manager"):
        _ = FakePacks().folder


def test_entry_points_may_be_of_any_group_of_handrail_and_no_other(packs: FakePacks) -> None:
    packs.add("acme-lines", journals={"lines": "acme_lines:open_lines"})
    (record,) = packs.provider.records
    assert [each.name for each in record.offered("journals")] == ["lines"]
    with pytest.raises(ValueError, match=r"handrail\.jornals"):
        packs.add("acme-other", jornals={"lines": "acme_other:open_lines"})

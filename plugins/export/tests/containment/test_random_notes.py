"""Whatever a journal says, nothing outside of the target and the state folder is touched."""

from __future__ import annotations

import os
from typing import Any

import pytest
from forging import filled, forgeries
from hypothesis import HealthCheck, given, settings

from handrail_export import DefaultExportAction

EXAMPLES = int(os.environ.get("HANDRAIL_FORGERIES", "20"))

NOTES = (
    *(("initialize", key) for key in ("target", "mark", "made", "probe", "cleared", "folders")),
    *(("initialize", key) for key in ("manifest", "staging")),
    ("convert_data", "written"),
    *(("save_files", key) for key in ("target", "claim", "claimed", "folders")),
)
FIELDS = ("staging", "manifest_path", "output_path")
NAMES = (
    *("<run>/save_files", "other/save_files", "<run>", "other", ".handrail-target"),
    *(".handrail-other/x", ".handrail-probe-<run>", ".handrail-probe-other"),
    *("kind=a", "kind=a/data_0.csv", "kind=z/old.csv", "manifest.json", "theirs/a.txt", "out.csv"),
    *("<home>/work/out", "<home>/work/out/kind=a", "<home>/work/out/out/empty", "theirs"),
    *("<home>/work/out/.handrail-<run>", "<home>/work/out/.handrail-<run>/files"),
    *("<home>/work/.handrail-<run>/files", "<home>/beside/.handrail-<run>/files"),
    *("<home>/work/.handrail/exports", "<home>/work/.handrail/exports/<run>.db"),
    *("<home>/work/.handrail/exports/other.db", "<home>/beside/<run>.db", "<home>/gone/out"),
)


def shaped(names: Any) -> Any:
    """Return values of the shapes that an export records: each is one name."""
    return names


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "killed", "file", "replacing"])
@pytest.mark.parametrize("way", ["rollback", "resume"])
def test_nothing_outside_is_touched(recorded: Any, kind: str, way: str) -> None:
    """A forged journal undoes, or is refused, and all that is not of its run stays as it is."""

    @settings(
        max_examples=EXAMPLES if way == "rollback" else EXAMPLES // 2,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(forgeries(NOTES, FIELDS, NAMES, shaped))
    def check(forged: Any) -> None:
        run = recorded(kind)
        run.forge(filled(forged, run.names()))
        before = run.outside()
        ended = run.go_on(way, DefaultExportAction)
        assert run.outside() == before
        # To go on may fail, and is undone then; a completed run has nothing to resume.
        ended.check(*((0, 3, 5) if way == "rollback" else (0, 1, 2, 3, 5)))

    check()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("note", "value"),
    [
        (("initialize", "manifest"), "<home>/beside/secret.txt"),
        (("initialize", "staging"), "<home>/beside"),
        (("initialize", "folders"), "<home>/beside/empty"),
        (("convert_data", "written"), "<home>/beside"),
        (("save_files", "target"), "<home>/beside"),
        (("save_files", "folders"), "<home>/beside/empty"),
    ],
)
def test_what_leads_elsewhere_is_named_and_the_rest_is_undone(
    recorded: Any, note: tuple[str, str], value: str
) -> None:
    """One sentence says which note it is; it ends with 5, and nothing of it was touched."""
    run = recorded("folder")
    leads = filled(value, run.names())
    run.forge([("more", note, [leads])])
    before = run.outside()
    ended = run.go_on("rollback", DefaultExportAction)
    ended.check(5)
    assert run.outside() == before
    assert leads in ended.told
    assert f"'{note[1]}'" in ended.told
    assert not list(run.target.glob("kind=*/*.csv"))

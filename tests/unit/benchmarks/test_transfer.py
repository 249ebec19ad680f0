"""What the tables of `benchmarks/transfer.py` rest on: who did not do the work has no figures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
PEERS = BENCHMARKS / "peers"
sys.path[:0] = [str(BENCHMARKS), str(PEERS)]

import cases  # noqa: E402
import measuring  # noqa: E402
import summary  # noqa: E402
import tables  # noqa: E402
import transfer  # noqa: E402

sys.path.remove(str(BENCHMARKS))
sys.path.remove(str(PEERS))

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

CP = 'mkdir -p "$2" && cp -r $3 "$1/." "$2"'


def shell(*options: str) -> tuple[str, ...]:
    return ("sh", "-c", CP, "sh", "{source}", "{target}", *options)


def measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: transfer.Way, **more: Any
) -> dict[str, Any]:
    monkeypatch.setitem(transfer.WAYS, "some", way)
    source = transfer.Source(tmp_path / "source", 100)
    contender = cases.Contender(label="some", peer=way.peer)
    case = transfer.case_of(transfer.Kind.of("local-100"), wanted=())
    pythons = {"handrail": Path(sys.executable)}
    return transfer.Transfers(pythons, source, "local", limit=60, **more).measure(case, contender)


def test_whoever_copies_and_takes_back_has_figures_of_each_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = transfer.Way("coreutils", shell(), ("rm", "-r", "{target}"))
    found = measured(tmp_path, monkeypatch, way)
    assert set(found) == {*summary.PHASES, "version", "python"}
    assert all(found[phase]["clock"] > 0 for phase in summary.PHASES)


def test_what_takes_hours_can_be_measured_without_its_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = transfer.Way("coreutils", shell(), ("false",))
    found = measured(tmp_path, monkeypatch, way, phases=("first", "again"))
    assert set(found) == {"first", "again", "version", "python"}
    row = {"label": "some", "steps": 1, "floor": "", "ours": "", "remark": "", "measures": [found]}
    case = {"name": "some", "title": "Some", "unit": "transfer", "rows": [row]}
    assert tables.markdown(case, ("undo s", "undo x", "undo MB")).endswith("| some | - | - | - |")


@pytest.mark.parametrize(
    ("copy", "changed", "remove", "failed"),
    [
        (("true",), (), ("true",), "true left 0 files, not 100"),
        (shell(), (), ("true",), "true left 100 files, not 0"),
        (shell("-n"), (), ("rm", "-r", "{target}"), "did not copy what had changed"),
        (("cp", "{source}", "{target}"), (), ("true",), "omitting directory"),
    ],
)
def test_whoever_does_not_do_the_work_has_failed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    copy: tuple[str, ...],
    changed: tuple[str, ...],
    remove: tuple[str, ...],
    failed: str,
) -> None:
    way = transfer.Way("coreutils", copy, remove, changed)
    assert failed in measured(tmp_path, monkeypatch, way)["failed"]


def test_the_peak_of_a_small_process_is_not_that_of_whoever_measures_it(tmp_path: Path) -> None:
    held = bytearray(100_000_000)
    words = [sys.executable, "-I", "-S", str(PEERS / "launch.py"), "true"]
    _, said = measuring.run(words, tmp_path, 60, {})
    assert 0 < json.loads(said)["peak"] < len(held) / 2


def test_each_change_is_of_another_hundredth_and_keeps_the_sizes(tmp_path: Path) -> None:
    source = transfer.Source(tmp_path / "source", 200)
    files = sorted(path for path in source.folder.rglob("*") if path.is_file())
    changed: list[set[int]] = []
    for _ in range(2):
        before = [file.read_bytes() for file in files]
        source.change()
        after = [file.read_bytes() for file in files]
        changed.append({number for number in range(200) if before[number] != after[number]})
        assert {len(content) for content in after} == {1000}
    assert changed == [{0, 100}, {1, 101}]


def test_a_table_has_the_seconds_the_ratio_and_the_memory_of_each_phase() -> None:
    def turn(clock: float) -> dict[str, Any]:
        one = {"clock": clock, "cpu": clock, "peak": 5e6}
        return dict.fromkeys(summary.PHASES, one) | {"version": "1"}

    def row(label: str, *measures: dict[str, Any]) -> dict[str, Any]:
        known = {"label": label, "steps": 1, "floor": "rclone", "ours": "", "remark": ""}
        return {**known, "measures": list(measures)}

    rows = [row("rclone", turn(1), turn(4)), row("ours", turn(2), turn(12))]
    case = {"name": "some", "title": "Some", "unit": "transfer", "rows": rows}
    columns = ("first s", "undo x", "again MB")
    assert tables.markdown(case, columns).splitlines()[2:] == [
        "| rclone | 2.50 | 1.00 | 5.00 |",
        "| ours | 7.00 | 2.50 | 5.00 |",
    ]


def test_a_case_is_what_its_name_says() -> None:
    found = transfer.kinds("usual,long,local-200-cold")
    assert [kind.name for kind in found] == [*transfer.USUAL, *transfer.LONG, "local-200-cold"]
    assert found[-1] == transfer.Kind(where="local", files=200, cold=True)
    with pytest.raises(argparse.ArgumentTypeError, match="s3-200 is no case"):
        transfer.kinds("local-1000,s3-200")


def test_a_file_of_measurements_keeps_what_is_not_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    run: dict[str, Any] = {"began": {"load": 1}, "rounds": 0, "cases": []}
    for name, count in (("a", 2), ("b", 1), ("a", 3)):
        transfer.written(path, run, {"name": name, "rows": [{"measures": [None] * count}]})
    kept = json.loads(path.read_text())
    assert [(case["name"], len(case["rows"][0]["measures"])) for case in kept["cases"]] == [
        ("b", 1),
        ("a", 3),
    ]
    assert kept["rounds"] == 3

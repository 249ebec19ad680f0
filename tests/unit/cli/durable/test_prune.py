"""`handrail runs prune` asks packs to release what they keep elsewhere, run by run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from durable_runs import Run, runs
from garden import Garden

RELEASE = """
    import json
    from dataclasses import asdict
    from pathlib import Path
    from handrail import HandrailError

    def release(run):
        if Path("unreachable").exists() and run.number == 1:
            raise HandrailError("the store cannot be reached", ways_out=("try again later",))
        if Path("bug").exists():
            raise KeyError("bug")
        with open("released.jsonl", "a") as stream:
            stream.write(json.dumps(asdict(run)) + "\\n")
"""
FAILS = "raise ImportError('no such library')\n"


@pytest.fixture(autouse=True)
def several(handrail: Run, folder: Path) -> None:
    """Two completed runs that recorded something."""
    (folder / "open").touch()
    for name in "ab":
        assert handrail("run", "durable.py:job", name).returncode == 0


def plant(site: Garden, source: str = RELEASE) -> None:
    site.plant(
        "acme-claims",
        points={"prune": {"claims": "acme_claims:release"}},
        modules={"acme_claims.py": source},
    )


def released(folder: Path) -> list[dict[str, object]]:
    file = folder / "released.jsonl"
    return list(map(json.loads, file.read_text().splitlines())) if file.exists() else []


def test_a_pack_is_told_of_each_run_before_it_is_deleted(
    handrail: Run, folder: Path, site: Garden
) -> None:
    """With what its steps recorded for their undo, and the folder where its paths begin."""
    plant(site)
    uids = [run["uid"] for run in json.loads(handrail("runs", "--json").stdout)["runs"]]
    done = handrail("runs", "prune", "--older-than", "0s")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 runs deleted\n", "")
    first, second = released(folder)
    assert [first["uid"], second["uid"]] == uids[::-1]
    assert (first["number"], second["number"]) == (1, 2)
    assert (first["action"], first["outcome"]) == ("durable.py:job", "completed")
    assert (first["folder"], first["project"]) == (str(folder), str(folder))
    assert first["rollback_data"] == {
        "first": {"files": ["first.txt"]},
        "second": {"files": ["a.txt"]},
    }
    assert runs(handrail) == {}


def test_what_a_pack_deletes_with_a_run_is_told(handrail: Run, site: Garden) -> None:
    """For the runs of which it says something."""
    plant(site, 'def release(run): return "2 copies deleted" if run.number == 1 else None\n')
    done = handrail("runs", "prune", "--older-than", "0s")
    assert (done.returncode, done.stdout) == (0, "2 runs deleted\n")
    assert done.stderr == "run 1: 2 copies deleted\n"


def test_a_run_that_a_pack_cannot_release_stays(handrail: Run, folder: Path, site: Garden) -> None:
    """A warning names it and says why, the others go, and the exit code is 1; later it goes too."""
    plant(site)
    (folder / "unreachable").touch()
    done = handrail("runs", "prune", "--older-than", "0s")
    assert (done.returncode, done.stdout) == (1, "1 run deleted\n")
    assert done.stderr.splitlines() == [
        "warning: run 1 stays: the store cannot be reached",
        "  try again later",
    ]
    assert runs(handrail) == {1: "completed"}
    (folder / "unreachable").unlink()
    (folder / "bug").touch()
    done = handrail("runs", "prune", "--older-than", "0s")
    assert done.returncode == 1
    assert "run 1 stays: acme_claims:release of acme-claims 1.4.0 raised KeyError" in done.stderr
    (folder / "bug").unlink()
    assert handrail("runs", "prune", "--older-than", "0s").returncode == 0
    assert runs(handrail) == {}


def test_a_pack_is_imported_only_if_a_run_is_to_be_deleted(
    handrail: Run, folder: Path, site: Garden
) -> None:
    """And a broken one keeps only the runs of which it made a step."""
    plant(site, FAILS)
    assert handrail("runs", "prune", "--older-than", "1h").returncode == 0
    done = handrail("runs", "prune", "--older-than", "0s")
    assert (done.returncode, done.stdout) == (0, "2 runs deleted\n")


def test_a_broken_pack_keeps_the_runs_that_have_its_steps(
    handrail: Run, folder: Path, site: Garden
) -> None:
    """Nobody else knows what they keep elsewhere."""
    source = """
        from handrail import step

        @step
        def hold(context): ...

        def release(run): ...
    """
    plant(site, source)
    (folder / "holding.py").write_text(
        "from handrail import action\nfrom acme_claims import hold\nheld = action('held', [hold])\n"
    )
    assert handrail("run", "holding.py:held").returncode == 0
    (site.site / "acme_claims.py").write_text(FAILS)
    done = handrail("runs", "prune", "--older-than", "0s")
    assert (done.returncode, done.stdout) == (1, "2 runs deleted\n")
    assert "run 3 stays: acme-claims 1.4.0" in done.stderr
    assert "no such library" in done.stderr
    assert list(runs(handrail)) == [3]
    done = handrail("runs", "prune", "--older-than", "0s", "--no-pack", "acme-claims")
    assert (done.returncode, done.stdout) == (0, "1 run deleted\n")

"""An undo asks for no more than the steps that began; what goes forward asks for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from durable_runs import Run, Start, made, runs
from garden import Garden, Plant

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


def test_resume_is_no_way_around_what_is_required(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """A pack or a step that the project has come to require is missed by `resume`, too."""
    killed()
    (folder / "open").touch()
    required = folder / "handrail.toml"
    required.write_text('[required]\npacks = ["acme-scan"]\n')
    done = handrail("resume", "1")
    assert done.returncode == 4
    assert "acme-scan" in done.stderr
    required.write_text(
        '[required]\nsteps = [{ step = "acme-scan:scan", before = "second", in = "*" }]\n'
    )
    done = handrail("resume", "1")
    assert done.returncode in (3, 4)
    assert "acme-scan" in done.stderr
    assert runs(handrail) == {1: "interrupted"}
    required.unlink()
    assert handrail("resume", "1").returncode == 0


SCAN = """
from pathlib import Path
from handrail import hookimpl, step

@step
def scan(context):
    context.record_rollback("files", "scan.txt")
    Path("scan.txt").touch()

@scan.rollback
def unscan(context, result):
    Path("scan.txt").unlink(missing_ok=True)

@hookimpl
def insert_before(action, step):
    if step.name == "ANCHOR":
        return scan
"""


def plant(site: Garden, anchor: str = "second") -> Plant:
    """Install a pack that inserts a step."""
    return site.plant(
        "acme-scan",
        points={"packs": {"scan": "acme_scan"}},
        modules={"acme_scan/__init__.py": SCAN.replace("ANCHOR", anchor)},
    )


def breaks(plant: Plant) -> None:
    """Let the pack raise when it is imported."""
    plant.modules[0].write_text("raise ImportError('half installed')")


def rest_has_problems(folder: Path) -> None:
    (folder / "handrail.toml").write_text('[actions.job]\nremove = ["nothing"]\n')


def pack_is_required(folder: Path) -> None:
    (folder / "handrail.toml").write_text('[required]\npacks = ["acme-sign"]\n')


def step_is_required(folder: Path) -> None:
    (folder / "handrail.toml").write_text(
        '[required]\nsteps = [{ step = "acme-sign:sign", before = "mail", in = "*" }]\n'
    )


def setting_is_wrong(folder: Path) -> None:
    (folder / "handrail.toml").write_text("[pakcs]\ndisable = []\n")


def lock_holds_another_plan(folder: Path) -> None:
    source = (folder / "durable.py").read_text()
    (folder / "durable.py").write_text(source.replace("second, mail]", "second]"))


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (pack_is_required, 4),
        (step_is_required, 3),
        (setting_is_wrong, 2),
        (rest_has_problems, 3),
        (lock_holds_another_plan, 3),
    ],
)
def test_what_stops_a_resume_does_not_stop_an_undo(
    happens: Callable[[Path], None],
    code: int,
    handrail: Run,
    folder: Path,
    killed: Callable[..., None],
) -> None:
    """Only the steps that began matter to it."""
    if happens is lock_holds_another_plan:
        assert handrail("lock", "durable.py:job").returncode == 0
    killed()
    happens(folder)
    refused = handrail("resume", "1")
    assert refused.returncode == code, refused.stderr
    assert runs(handrail) == {1: "interrupted"}
    done = handrail("rollback", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert made(folder) == set()
    assert runs(handrail) == {1: "rolled back"}


def test_an_undo_that_was_begun_goes_on_whatever_is_required(
    handrail: Run, folder: Path, start: Start
) -> None:
    """`resume` of a run that was undoing is an undo, too."""
    process = start("-m", "handrail", "run", "durable.py:undoing")
    assert process.stdout is not None
    assert process.stdout.readline() == "undoing\n"
    process.kill()
    process.wait()
    (folder / "open").touch()
    pack_is_required(folder)
    done = handrail("resume", "1")
    assert done.returncode == 1, done.stderr
    assert runs(handrail) == {1: "rolled back"}


def test_a_broken_pack_without_a_step_that_began_stops_no_undo(
    handrail: Run, folder: Path, site: Garden, killed: Callable[..., None]
) -> None:
    """It is told, and left out; what goes forward stops at it."""
    planted = plant(site, anchor="mail")
    killed()
    breaks(planted)
    assert handrail("resume", "1").returncode == 4
    done = handrail("rollback", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert "ignored for the undo: acme-scan 1.4.0" in done.stderr
    assert "half installed" in done.stderr
    assert made(folder) == set()


def test_a_broken_pack_of_a_step_that_began_is_named(
    handrail: Run, folder: Path, site: Garden, killed: Callable[..., None]
) -> None:
    """Its step cannot be undone without it; --accept-drift undoes the rest, and says so."""
    planted = plant(site)
    killed()
    assert made(folder) == {"first.txt", "scan.txt", "über.txt"}
    breaks(planted)
    refused = handrail("rollback", "1", "--yes")
    assert refused.returncode == 4, refused.stderr
    assert "acme-scan 1.4.0" in refused.stderr
    assert "--accept-drift" in refused.stderr
    assert made(folder) == {"first.txt", "scan.txt", "über.txt"}
    done = handrail("rollback", "1", "--yes", "--accept-drift")
    assert done.returncode == 5, done.stderr
    assert "scan" in done.stderr
    assert made(folder) == {"scan.txt"}
    assert runs(handrail) == {1: "rollback incomplete"}


def test_a_pack_of_a_step_that_began_and_is_gone_is_named(
    handrail: Run, folder: Path, site: Garden, killed: Callable[..., None]
) -> None:
    """With what to install; --accept-drift counts its step as one that could not be undone."""
    planted = plant(site)
    killed()
    planted.uproot()
    refused = handrail("rollback", "1", "--yes")
    assert refused.returncode == 3, refused.stderr
    assert "scan of acme-scan 1.4.0 is not in the plan any more" in refused.stderr
    assert "pip install acme-scan==1.4.0" in refused.stderr
    done = handrail("rollback", "1", "--yes", "--accept-drift")
    assert done.returncode == 5, done.stderr
    assert made(folder) == {"scan.txt"}


def test_a_part_that_was_chosen_is_chosen_as_far_as_it_is_there(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """A step that was to be left out, and is gone, is no reason to stop."""
    killed("-m", "handrail", "run", "durable.py:job", "a", "--skip", "mail")
    source = (folder / "durable.py").read_text()
    (folder / "durable.py").write_text(source.replace("first, second, mail]", "first, second]"))
    done = handrail("rollback")
    assert done.returncode == 0, done.stderr
    assert made(folder) == set()


def test_a_completed_run_is_undone_from_wherever_its_params_came(
    handrail: Run, folder: Path
) -> None:
    """The params file need not be there any more."""
    (folder / "open").touch()
    (folder / "params.toml").write_text('name = "a"')
    for name in ("params.toml", "params.toml"):
        assert handrail("run", "durable.py:job", "--params", name).returncode == 0
    (folder / "params.toml").unlink()
    latest = handrail("rollback", "2", "--yes")
    assert latest.returncode == 0, latest.stderr
    assert latest.stderr.startswith("run 2 · durable.py:job · completed 0.")
    by_number = handrail("rollback", "1", "--yes")
    assert by_number.returncode == 0, by_number.stderr
    assert made(folder) == {"seen.txt"}


def test_steps_that_always_run_do_so_once(handrail: Run, folder: Path, start: Start) -> None:
    """After the undo of a run that was killed; not again when a completed run is undone."""
    with (folder / "durable.py").open("a") as source:
        source.write(CLOSING)
    process = start("-m", "handrail", "run", "durable.py:closing", "a")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    assert handrail("rollback", "1", "--yes").returncode == 0
    assert (folder / "closed").read_text() == "rolled_back\n"
    (folder / "open").touch()
    assert handrail("run", "durable.py:closing", "a").returncode == 0
    done = handrail("rollback", "2", "--yes")
    assert done.returncode == 0, done.stderr
    assert (folder / "closed").read_text() == "rolled_back\ncompleted\n"
    assert made(folder) == set()


CLOSING = """
@step
def close(context):
    with open("closed", "a") as stream:
        stream.write(f"{context.outcome}\\n")
close.always_run = True

closing = action("closing", [first, close, second], params=Params, context=Context)
"""

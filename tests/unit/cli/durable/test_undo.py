"""An undo asks for no more than the steps that began; what goes forward asks for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from durable_runs import Run, runs


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

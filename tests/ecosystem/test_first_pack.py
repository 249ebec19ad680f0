"""The tutorial "your first pack" works from start to end, in a fresh environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-pack.md"
BLOCK = re.compile(
    r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?[^\n]*\n(?P<source>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


def install(uv: Path, python: Path, folder: Path, *packages: str) -> None:
    words = [str(uv), "pip", "install", "--python", str(python)]
    for more in (["--offline"], []):
        done = subprocess.run(
            [*words, *more, *packages], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
    pytest.fail(done.stderr)


def test_the_tutorial_does_what_it_shows(
    workshop,
    tmp_path: Path,
    shell_session: Callable[..., str],
    same_output: Callable[[str, str], bool],
) -> None:
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv is not installed here")
    venv = tmp_path / "venv"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, venv], check=True)
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    wheels = (str(workshop.wheels[name]) for name in ("handrail", "handrail-testing"))
    install(uv, scripts / "python", tmp_path, *wheels)
    work = tmp_path / "work"
    work.mkdir()
    text = PAGE.read_text(encoding="utf-8")
    differences: list[str] = []
    for block in list(BLOCK.finditer(text)):
        kind, title, source = block["kind"], block["title"], block["source"]
        if kind == "python" and title:
            (work / title).write_text(source, encoding="utf-8")
        elif kind == "sh" and source.startswith("pip install -e"):
            install(uv, scripts / "python", work, *source.split()[2:])
        elif kind == "console":
            # Paths of the tests of the pack are shown, and must not differ from run to run.
            tests = f"--basetemp={work / '.pytest'}"
            real = shell_session(source, work, scripts, PYTEST_ADDOPTS=tests)
            if not same_output(source, real):
                differences.append(real)
                text = text.replace(block[0], block[0].replace(source, real))
    assert {path.name for path in work.glob("*.sha256")} == {"bread.sha256", "soup.sha256"}
    if differences and os.environ.get("HANDRAIL_DOCS") == "write":
        PAGE.write_text(text, encoding="utf-8")
        return
    assert not differences, "the output is now:\n\n" + "\n\n".join(differences)

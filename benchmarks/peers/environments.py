"""An environment of its own for each peer and for ours, made where it is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSTRAINTS = Path(__file__).with_name("constraints")
PEERS = tuple(sorted(path.stem for path in CONSTRAINTS.glob("*.txt")))
OURS = "handrail"
PEERS_PYTHON = "3.12"


class MissingError(Exception):
    """There is no such environment, and why."""


def version_of(python: Path | str) -> str | None:
    """Return `3.12` for a CPython that works, else None."""
    probe = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.check_output(
            [python, "-I", "-c", probe], text=True, stderr=subprocess.DEVNULL, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    name, version = said.split()
    return version if name == "cpython" else None


def python_for_peers(given: str | None) -> str | None:
    """Return the interpreter that is given, or one of the version that all of the peers work with.

    A shim of pyenv for a version that is switched off is on PATH, too, and does not work.
    """
    home = Path.home() / ".pyenv" / "versions"
    found = [str(each) for each in sorted(home.glob(f"{PEERS_PYTHON}.*/bin/python"), reverse=True)]
    for python in [given] if given else [sys.executable, f"python{PEERS_PYTHON}", *found]:
        if version_of(python) == PEERS_PYTHON:
            return python
    return None


def make(name: str, python: str | None, folder: Path) -> Path:
    """Return the Python of that environment; MissingError says why there is none."""
    if python is None:
        raise MissingError(f"no Python {PEERS_PYTHON} was found; --python names one")
    if name == OURS:
        return ours(python, folder / OURS, "core")
    wanted = CONSTRAINTS / f"{name}.txt"
    return made(folder / name, python, wanted.read_text(), ["-r", str(wanted)])


def ours(python: str, folder: Path, *parts: str) -> Path:
    """Return the Python of an environment with those parts as they are now, built and installed."""
    here = [str(ROOT / part) for part in parts]
    inside = made(folder, python, "", here)
    again = ["--reinstall", "--refresh"] if uv() else ["--force-reinstall"]
    install(inside, ["--no-deps", *again, *here])
    return inside


def made(folder: Path, python: str, wanted: str, packages: list[str]) -> Path:
    """Return the Python of the environment, which is made anew when something else is wanted."""
    inside, note = folder / "bin" / "python", folder / "made-of.txt"
    recipe = f"{python}\n{wanted}"
    if note.is_file() and note.read_text() == recipe:
        return inside
    print(f"making an environment for {folder.name}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    found = uv()
    command = [found, "venv", "--quiet", "--python"] if found else []
    call([*command, python, str(folder)] if found else [python, "-m", "venv", str(folder)])
    install(inside, packages)
    note.write_text(recipe)
    return inside


def install(python: Path, packages: list[str]) -> None:
    """Install those, and compile them, so that no measured process has to."""
    found = uv()
    if found:
        options = ["--quiet", "--compile-bytecode", "--python", str(python)]
        call([found, "pip", "install", *options, *packages])
    else:
        call([str(python), "-m", "pip", "install", "--quiet", *packages])


def uv() -> str | None:
    """Return the command uv, if it is there."""
    return shutil.which("uv")


def call(command: list[str]) -> None:
    """Run the command; MissingError has the end of what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise MissingError(f"does not install: {' '.join(lines[-2:])[:200]}")

"""`python -m handrail_synapse` beside plain `python`: same program, same behaviour."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPORT = """\
import sys, __main__
print(sys.argv, sys.path[0], __name__, __file__, __spec__ and __spec__.name)
print(__main__.__dict__ is globals(), "__annotations__" in dir() or True)
"""


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def both(folder: Path, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    return [python(folder, *arguments), python(folder, "-m", "handrail_synapse", *arguments)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "some folder"
    inner.mkdir()
    (inner / "neighbour.py").write_text("VALUE = 7\n")
    return inner


def test_file(folder: Path) -> None:
    """A file sees the same argv, sys.path[0], __main__ and __file__, from any working folder."""
    (folder / "report.py").write_text(f"import neighbour\n{REPORT}")
    for where, name in ((folder, "report.py"), (folder.parent, "some folder/report.py")):
        plain, ours = both(where, name, "-x", "--", "a b")
        assert plain.returncode == 0
        assert (ours.stdout, ours.returncode, ours.stderr) == (plain.stdout, 0, "")


def test_linked_file(folder: Path, tmp_path: Path) -> None:
    """Through a symbolic link, neighbours are found where the file really is."""
    (folder / "report.py").write_text(f"import neighbour\n{REPORT}")
    (tmp_path / "link.py").symlink_to(folder / "report.py")
    plain, ours = both(tmp_path, "link.py")
    assert ours.stdout == plain.stdout != ""


def test_module(folder: Path) -> None:
    """A module sees the same as with python -m, a package its __main__."""
    (folder / "report.py").write_text(f"import neighbour\n{REPORT}")
    package = folder / "pack"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(REPORT)
    for name in ("report", "pack"):
        plain, ours = both(folder, "-m", name, "-m", "x")
        assert ours.stdout == plain.stdout != ""
        assert ours.stderr == ""


def test_folder_with_main(folder: Path) -> None:
    """A folder with a __main__.py runs as well, and so does an archive."""
    code = f"import neighbour\n{REPORT}\n1 / 0\n"
    (folder / "__main__.py").write_text(code)
    shutil.make_archive(str(folder.parent / "packed"), "zip", folder)
    for name in ("some folder", "packed.zip"):
        plain, ours = both(folder.parent, name, "x")
        assert ours.stdout == plain.stdout != ""
        assert (ours.returncode, ours.stderr.splitlines()[-1]) == (1, plain.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    ["raise SystemExit(3)", "raise SystemExit", "import sys; sys.exit('gone')", "1 / 0", "def x(:"],
)
def test_exit_codes_and_tracebacks(folder: Path, code: str) -> None:
    """Exit codes and everything on standard error are those of plain python."""
    (folder / "broken.py").write_text(f"import neighbour\n\n{code}\n")
    plain, ours = both(folder, "broken.py")
    assert (ours.returncode, ours.stderr) == (plain.returncode, plain.stderr)
    plain, ours = both(folder, "-m", "broken")
    assert ours.returncode == plain.returncode


def test_exit_handlers(folder: Path) -> None:
    """What runs at exit still finds the program's own __main__."""
    code = "import atexit, sys\nX = 5\natexit.register(lambda: print(sys.modules['__main__'].X))\n"
    (folder / "late.py").write_text(code)
    assert python(folder, "-m", "handrail_synapse", "late.py").stdout == "5\n"


@pytest.mark.skipif(os.name != "posix", reason="signals are different elsewhere")
def test_interrupt(folder: Path) -> None:
    """Ctrl-C ends it the way it ends plain python."""
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(5)\n"
    (folder / "stop.py").write_text(code)
    ours = python(folder, "-m", "handrail_synapse", "stop.py")
    assert ours.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in ours.stderr


def test_aliases_are_in_place(folder: Path) -> None:
    """The program imports synapse_sdk without having heard of Handrail."""
    code = "from synapse_sdk.plugins.steps import StepResult\nprint(StepResult().success)\n"
    (folder / "flow.py").write_text(code)
    assert python(folder, "-m", "handrail_synapse", "flow.py").stdout == "True\n"


def test_says_when_the_real_one_is_used(folder: Path) -> None:
    """With the real SDK in reach it is used, and a line on standard error says so."""
    (folder / "synapse_sdk.py").write_text("REAL = True\n")
    (folder / "flow.py").write_text("import synapse_sdk\nprint(synapse_sdk.REAL)\n")
    ours = python(folder, "-m", "handrail_synapse", "flow.py")
    assert ours.stdout == "True\n"
    assert "using the synapse_sdk that is installed here" in ours.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "usage: python -m handrail_synapse"),
        (["-m"], 2, "-m needs the name of a module"),
        (["-x"], 2, "unknown option -x"),
        (["nowhere.py"], 2, "can't open file 'nowhere.py'"),
        (["--help"], 0, "usage:"),
        (["--version"], 0, "handrail-synapse 0."),
        (["-m", "nowhere"], 1, "nowhere"),
    ],
)
def test_usage(folder: Path, arguments: list[str], code: int, said: str) -> None:
    """Wrong use is told in a line, with exit code 2; a missing module is 1, as python has it."""
    ours = python(folder, "-m", "handrail_synapse", *arguments)
    assert ours.returncode == code
    assert said in ours.stdout + ours.stderr

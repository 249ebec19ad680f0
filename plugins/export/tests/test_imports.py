"""Nothing heavy is imported to list, to plan, or to ask for help; public names are lazy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import handrail_export

HEAVY = {"adbc_driver_manager", "duckdb", "numpy", "obstore", "pyarrow", "PIL", "boto3"}


def loaded_by(code: str, here: Path) -> set[str]:
    """Return the modules, of those that are heavy, which a Python has after running code."""
    script = f"import sys\n{code}\nprint('loaded', *sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=here, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "arguments",
    [
        ["actions"],
        ["steps"],
        ["packs"],
        ["plan", "export"],
        ["run", "export", "--help"],
        ["export", "--help"],
        ["export", "verify", "--help"],
        ["export", "formats"],
    ],
    ids=" ".join,
)
def test_command_line(here: Path, arguments: list[str]) -> None:
    """Listing, planning and help import none of the libraries that do the work."""
    code = (
        "import runpy\n"
        f"sys.argv = ['handrail', *{arguments!r}]\n"
        "try: runpy.run_module('handrail', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    assert loaded_by(code, here) == set()


def test_every_name(here: Path) -> None:
    """All public names can be imported, also together, without any of them."""
    assert handrail_export.__all__ == sorted(handrail_export.__all__)
    assert loaded_by("from handrail_export import *; DefaultExportAction", here) == set()


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        _ = handrail_export.Nope

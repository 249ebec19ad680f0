"""What an upload returns, shows and ends with; and runs of only some of its steps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail import StepFailedError
from handrail.attachments import Table
from handrail_upload import UploadContext
from handrail_upload.errors import ConflictError

TYPES = {
    "success": bool,
    "steps_executed": int,
    "steps_total": int,
    "summary": str,
    "uploaded_files": int,
    "unchanged_files": int,
    "skipped_files": int,
    "left_out_files": int,
    "deleted_files": int,
    "bytes": int,
    "seconds": float,
    "data_units": int,
    "catalogue": str,
    "run": str,
    "next": dict,
}
TIMES = re.compile(r"in \d+\.\d+s \([\d.e+]+ \w?B/s\)")


def test_the_result(write: Callable[..., Path], upload: Callable[..., Any], seen: Any) -> None:
    """The result is one dict of JSON types: counts, bytes, seconds, a summary, and what is next."""
    write({"a": "aaa", "sub/b": "b" * 2000})
    result = upload()
    assert {key: type(value) for key, value in result.items()} == TYPES
    assert json.loads(json.dumps(result)) == result
    assert (result["uploaded_files"], result["unchanged_files"], result["skipped_files"]) == (
        2,
        0,
        0,
    )
    assert (result["bytes"], result["data_units"]) == (2003, 2)
    summary = TIMES.sub("TIME", result["summary"])
    assert summary == "uploaded 2 new to out · 2 kB TIME · 2 units in out.db"
    [started] = seen.told("RunStarted")
    assert result["run"] == started["run_id"]
    assert result["next"] == {"check": f"handrail upload verify {result['run']}"}


def test_what_it_attaches(
    write: Callable[..., Path], upload: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many files came to what, which ones, and the largest of those that were sent."""
    attached: dict[str, Any] = {}
    monkeypatch.setattr(
        UploadContext, "attach", lambda _, name, value: attached.update({name: value})
    )
    write({f"f{number:02}": "x" * number for number in range(1, 13)})
    upload()
    assert attached["files"] == Table(("state", "files", "bytes"), [("new", 12, 78)])
    assert attached["new files"].rows[2] == ("f03", 3)
    largest = attached.pop("largest files")
    assert (largest.columns, largest.total) == (("file", "bytes"), 12)
    assert largest.rows == tuple((f"f{number:02}", number) for number in range(12, 2, -1))
    attached.clear()
    write({".hidden": "x", "f01": "other", "none": ""})
    upload(if_exists="overwrite", on_invalid="skip")
    assert attached["files"].rows == (
        ("replaced", 1, 5),
        ("unchanged", 11, 77),
        ("left-out", 2, 0),
    )
    assert attached["replaced files"].rows == (("f01", 5),)
    assert attached["left-out files"].rows == (
        ("none", 0, "is empty"),
        (".hidden", None, "its name begins with a dot"),
    )
    attached.clear()
    upload(on_invalid="skip")
    assert list(attached) == ["files", "left-out files"]


@pytest.mark.parametrize(
    ("if_exists", "told"),
    [
        ("skip", "uploaded 1 new, 2 skipped to out"),
        ("overwrite", "uploaded 1 new, 1 replaced, 1 unchanged to out"),
    ],
)
def test_what_is_there_already(
    write: Callable[..., Path],
    here: Path,
    upload: Callable[..., Any],
    if_exists: str,
    told: str,
) -> None:
    """New, replaced, unchanged and skipped files are counted apart; replaced ones count as sent."""
    write({"changed": "old", "same": "same"})
    upload()
    write({"changed": "new!", "new": "n"})
    result = upload(if_exists=if_exists)
    assert result["summary"].startswith(f"{told} · ")
    replaced = if_exists == "overwrite"
    assert result["uploaded_files"] == (2 if replaced else 1)
    assert result["bytes"] == (5 if replaced else 1)
    assert (here / "out" / "changed").read_text() == ("new!" if replaced else "old")


@pytest.mark.parametrize("if_exists", ["same", "error"])
def test_conflicts(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    seen: Any,
    world: Callable[[], Any],
    if_exists: str,
) -> None:
    """Conflicts stop the run before anything is sent; each is told, and what can be done."""
    write({"a": "a", "b": "b"})
    upload()
    write({"a": "other", "c": "c"})
    before = world()
    with pytest.raises(StepFailedError) as caught:
        upload(if_exists=if_exists)
    error = caught.value.__cause__
    assert isinstance(error, ConflictError)
    assert error.ways_out == (
        "keep what is there: --if-exists skip",
        "replace it: --if-exists overwrite",
    )
    why = "something else is stored there" if if_exists == "same" else "something is stored there"
    expected = [("a", why)] if if_exists == "same" else [("a", why), ("b", why)]
    assert seen.logs("conflict") == expected
    assert error.message.startswith(f"{len(expected)} file")
    apart = (".db", "uploads/claims", "uploads/files")
    assert {k: v for k, v in world().items() if not any(each in k for each in apart)} == {
        k: v for k, v in before.items() if not any(each in k for each in apart)
    }


def test_shown(write: Callable[..., Path], handrail: Callable[..., Any]) -> None:
    """The command line shows a line a step, the summary, and the command to check it."""
    write({"a": "aaa", "b": "b"})
    done = handrail("run", "upload", "src", "out", "--progress", "bar")
    assert done.returncode == 0
    steps = [line.split()[:2] for line in done.stderr.splitlines()[1:]]
    assert steps == [
        ["✓", "initialize"],
        ["-", "process_metadata"],
        ["✓", "analyze_collection"],
        ["✓", "organize_files"],
        ["✓", "validate_files"],
        ["✓", "upload_files"],
        ["✓", "generate_data_units"],
        ["✓", "cleanup"],
    ]
    summary, ended, see, check, undo = done.stdout.splitlines()
    assert (see.split()[0], undo.split()[0]) == ("see", "undo")
    assert summary.startswith("uploaded 2 new to out · 4 B")
    assert summary.endswith("2 units in out.db")
    assert re.fullmatch(r"upload completed in \d+\.\ds · 7 of 8 steps executed", ended)
    purpose, *command = check.split()
    assert (purpose, command[:3]) == ("check", ["handrail", "upload", "verify"])
    assert max(map(len, [*done.stdout.splitlines(), *done.stderr.splitlines()])) <= 100
    # It is a command that works as it stands.
    again = handrail(*command[1:])
    assert (again.returncode, again.stderr) == (0, "")


def test_check_with_another_state_folder(
    write: Callable[..., Path], handrail: Callable[..., Any]
) -> None:
    """The command to check names the state folder where that is not the usual one."""
    write("a")
    done = handrail("run", "upload", "src", "out", "--state-folder", "my state", "-q")
    [check] = [line for line in done.stdout.splitlines() if line.startswith("  check ")]
    assert check.endswith(" --state-folder 'my state'")
    run = check.split()[4]
    assert handrail("upload", "verify", run, "--state-folder", "my state").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("src", "out"), 0, ""),
        ((), 2, "SOURCE: is required, or --source ROLE=FOLDER"),
        ((), 2, "TARGET: is required"),
        (("src",), 2, "TARGET: is required"),
        (("src", "out", "--colour", "red"), 2, "No such option"),
        (("nowhere", "out"), 2, "SOURCE: there is no folder nowhere"),
        (("src", "out", "--only", "upload_file"), 2, "did you mean upload_files?"),
    ],
)
def test_exit_codes(
    write: Callable[..., Path],
    handrail: Callable[..., Any],
    arguments: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    """0 for done, 1 for a failed run that was undone, 2 for a mistake on the command line."""
    write("a")
    done = handrail("run", "upload", *arguments)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_json_events(write: Callable[..., Path], handrail: Callable[..., Any]) -> None:
    """With --json, standard output has one event a line, and the result comes last."""
    write({"a": "aaa", "empty": ""})
    done = handrail("run", "upload", "src", "out", "--on-invalid", "skip", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "RunStarted"
    assert events[-1]["event"] == "Result"
    assert {key: type(value) for key, value in events[-1]["result"].items()} == {
        **TYPES,
        "completed_with": str,
    }
    [logged] = [each for each in events if each["event"] == "MessageLogged"]
    assert (logged["name"], logged["file"]) == ("invalid_file", "empty")
    units = [e for e in events if e["event"] == "StepProgressed" and e["category"] == "bytes"]
    assert units[-1]["current"] == units[-1]["total"] == 3
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("chosen", "steps", "check"),
    [
        (["--only", "organize_files"], ["organize_files"], False),
        (["--skip", "generate_data_units"], None, False),
        (["--from", "organize_files"], None, False),
        (["--skip", "cleanup"], None, True),
    ],
)
def test_some_steps(
    write: Callable[..., Path],
    handrail: Callable[..., Any],
    chosen: list[str],
    steps: list[str] | None,
    check: bool,
) -> None:
    """Some of the steps can be run; what to check is told only where there is something."""
    write("a b")
    handrail("run", "upload", "src", "out", "-q")
    done = handrail("run", "upload", "src", "out", *chosen, "--json")
    assert done.returncode == 0, done.stdout
    events = [json.loads(line) for line in done.stdout.splitlines()]
    if steps is not None:
        assert [each["step"] for each in events if each["event"] == "StepStarted"] == steps
    result = events[-1]["result"]
    assert ("next" in result) == check
    assert result["summary"].startswith("uploaded 0 new")


def test_from_a_step_without_a_catalogue(
    write: Callable[..., Path], handrail: Callable[..., Any]
) -> None:
    """Where the catalogue was never prepared, the step that needs it says so in words."""
    write("a")
    done = handrail("run", "upload", "src", "out", "--from", "organize_files")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "NOT NULL" not in done.stderr
    assert "no such table" not in done.stderr

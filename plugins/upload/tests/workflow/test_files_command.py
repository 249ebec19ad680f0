"""`handrail upload files`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from handrail.errors import NotFoundError
from handrail_upload import Manifest, SourceFile
from handrail_upload.command import upload as command
from handrail_upload.manifest import OUTCOMES

STATE = Path(".handrail/uploads")
RUN = "0190f5b6-2c51-7aaa-8bbb-123456789abc"


@pytest.fixture
def listed(here: Path) -> Callable[..., Path]:
    """Return a function that makes a list of files of a run, as one at work has it."""

    def _listed(states: dict[str, str]) -> Path:
        with closing(Manifest(here / STATE / f"{RUN}.db")) as manifest:
            manifest.describe(run=RUN)
            manifest.add(
                SourceFile(f"/src/{key}", key, key, key, "file", len(key), 1, state=state)
                for key, state in states.items()
            )
        return here / STATE / f"{RUN}.db"

    return _listed


def found(told: str) -> list[tuple[str, str]]:
    """Return outcome and key of each line."""
    return [(line.split()[0], line[20:].split()[0]) for line in told.splitlines()]


def test_what_a_run_did_with_each_file(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    run: Callable[..., Any],
    uploaded: str,
    here: Path,
) -> None:
    """A line a file: the outcome, the size, the key; and the reason of what is left out."""
    write({"b": "longer", "d": "new", "none": "", ".hidden": "x"})
    (here / "src" / "out").symlink_to("/etc/hosts")
    second = upload(if_exists="overwrite", on_invalid="skip")["run"]
    code, out, err = run("files")
    assert (code, err) == (0, f"upload {second}: 7 files, 2.01 kB\n")
    assert out.splitlines() == [
        "unchanged      3 B  a",
        "replaced       6 B  b",
        "new            3 B  d",
        "invalid        0 B  none  is empty",
        "unchanged     2 kB  sub/c",
        "left-out         -  .hidden  its name begins with a dot",
        "left-out         -  out  it leads out of the source",
    ]
    assert found(run("files", uploaded)[1]) == [("new", "a"), ("new", "b"), ("new", "sub/c")]


def test_as_json_lines(uploaded: str, run: Callable[..., Any]) -> None:
    """One object a line; the number of bytes, and the checksum where it is known."""
    documents = [json.loads(line) for line in run("files", "--json")[1].splitlines()]
    assert [each["key"] for each in documents] == ["a", "b", "sub/c"]
    assert documents[1] == {
        "schema": 1,
        "state": "new",
        "key": "b",
        "size": 1,
        "why": None,
        "sha256": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
    }


@pytest.mark.parametrize(
    ("state", "word", "also"),
    [
        ("sent", "new", ()),
        ("replaced", "replaced", ()),
        ("unchanged", "unchanged", ()),
        ("skipped", "skipped", ()),
        ("found", "unsent", ()),
        ("new", "unsent", ()),
        ("replace", "unsent", ()),
        ("invalid", "invalid", ("left-out",)),
        ("left-out", "left-out", ()),
    ],
)
def test_outcomes(
    state: str,
    word: str,
    also: tuple[str, ...],
    listed: Callable[..., Path],
    run: Callable[..., Any],
) -> None:
    """Each state of the list has one word, by which it is chosen."""
    listed({"x": state})
    for each in OUTCOMES:
        expected = [(word, "x")] if each in (word, *also) else []
        assert found(run("files", "--state", each)[1]) == expected


def test_several_outcomes(listed: Callable[..., Path], run: Callable[..., Any]) -> None:
    """They are separated by commas, or the option is repeated."""
    listed({"a": "sent", "b": "unchanged", "c": "replaced"})
    expected = [("new", "a"), ("replaced", "c")]
    assert found(run("files", "--state", "replaced,new")[1]) == expected
    assert found(run("files", "--state", "new", "--state", "replaced")[1]) == expected


def test_deleted_files(
    write: Callable[..., Path], upload: Callable[..., Any], run: Callable[..., Any], here: Path
) -> None:
    """What the source had no longer is listed by itself, and the run names the command."""
    write("a y z .hidden")
    upload()
    for name in "yz":
        (here / "src" / name).unlink()
    done = upload(delete_missing=True, max_delete="100%")
    assert done["next"]["which"].endswith(f"{done['run']} --state left-out,deleted")
    told = found(run("files")[1])
    assert [each for each in told if each[0] != "left-out"] == [
        ("unchanged", "a"),
        ("deleted", "y"),
        ("deleted", "z"),
    ]
    assert found(run("files", "--state", "deleted", "--match", "z*")[1]) == [("deleted", "z")]


def test_more_than_a_page(listed: Callable[..., Path], run: Callable[..., Any]) -> None:
    """None is lost or told twice, whichever share of them is asked for."""
    states = {f"{n:05}": ("sent", "unchanged")[n % 2] for n in range(4000)}
    listed(states)
    assert [key for _, key in found(run("files")[1])] == [*states]
    expected = [key for key, state in states.items() if state == "sent"]
    assert [key for _, key in found(run("files", "--state", "new")[1])] == expected


def test_keys_that_match(listed: Callable[..., Path], run: Callable[..., Any]) -> None:
    """As a shell would match them, with * for slashes as well."""
    listed(dict.fromkeys(("raw/a.jpg", "raw/b/c.jpg", "raw/d.txt", "r%w"), "sent"))
    for pattern, keys in {
        "raw/*.jpg": ["raw/a.jpg", "raw/b/c.jpg"],
        "raw/[ad].*": ["raw/a.jpg", "raw/d.txt"],
        "r%w": ["r%w"],
        "RAW*": [],
    }.items():
        assert [key for _, key in found(run("files", "--match", pattern)[1])] == keys


@pytest.mark.parametrize("given", ["gone", "new,", "", "new,gone", "new replaced"])
def test_an_outcome_that_there_is_not(given: str, uploaded: str, run: Callable[..., Any]) -> None:
    with pytest.raises(click.BadParameter) as caught:
        run("files", "--state", given)
    assert "left-out" in caught.value.message
    assert caught.value.exit_code == 2


def test_completion_of_outcomes() -> None:
    """Also behind a comma."""
    for given, offered in {"re": ["replaced"], "new,un": ["new,unchanged", "new,unsent"]}.items():
        complete = ShellComplete(command, {}, "upload", "")
        items = complete.get_completions(["files", "--state"], given)
        assert [each.value for each in items] == offered


def test_an_upload_that_was_undone(
    make: Callable[..., Any], handrail: Callable[..., Any], write: Callable[..., Path]
) -> None:
    """Its list is gone, and the error says so."""
    write("a")
    assert handrail("run", "upload", "src", "out", "-q").returncode == 0
    assert handrail("rollback", "1", "--yes", "-q").returncode == 0
    done = handrail("upload", "files", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "undone" in done.stderr


def test_without_any(run: Callable[..., Any], here: Path) -> None:
    with pytest.raises(NotFoundError):
        run("files", "--state-folder", "nowhere")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("option", ["--json", "--match=*"])
def test_a_reader_that_leaves(option: str, listed: Callable[..., Path], here: Path) -> None:
    """As `head` does: the command ends without a word, and reads no more of the list."""
    path = listed({f"{n:06}": "sent" for n in range(50_000)})
    content = bytearray(path.read_bytes())
    page = content.index(b"/src/040000") // 4096 * 4096
    content[page : page + 4096] = b"\xff" * 4096  # To read on would be an error.
    path.write_bytes(content)
    arguments = [sys.executable, "-m", "handrail", "upload", "files", option]
    with subprocess.Popen(
        arguments, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "000000" in process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 0)


def test_files_are_read_as_they_are_told(listed: Callable[..., Path]) -> None:
    """While the first is told, the run can go on with others; no transaction is open."""
    path = listed({f"{n:05}": "found" for n in range(3000)})
    with closing(Manifest(path)) as manifest, closing(Manifest(path, make=False)) as reader:
        told: Iterator[Any] = reader.outcomes("new", "unsent")
        assert next(told).state == "unsent"
        manifest.settle("sent", 1, 3000)
        manifest.keep()
        assert {each.state for each in told} == {"unsent", "new"}


def test_a_damaged_list(
    handrail: Callable[..., Any], uploaded: str, here: Path, damage: Callable[[Path], None]
) -> None:
    """It is told as that, in one line."""
    damage(here / STATE / f"{uploaded}.db")
    done = handrail("upload", "files")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: the list of files {STATE}/{uploaded}.db cannot be used:" in done.stderr


def test_names_that_are_no_text(
    write: Callable[..., Path], upload: Callable[..., Any], handrail: Callable[..., Any]
) -> None:
    """Names that could move the cursor, or are no UTF-8, are told as %XX."""
    write("x")
    for name in (b"caf\xe9", b"\x1b[31m", b"two\nlines"):
        with open(b"src/" + name, "wb") as file:
            file.write(b"x")
    upload()
    keys = [key for _, key in found(handrail("upload", "files").stdout)]
    assert keys == ["%1B[31m", "caf%E9", "two%0Alines", "x"]


def test_a_run_names_the_command_where_it_left_something_out(
    write: Callable[..., Path], handrail: Callable[..., Any]
) -> None:
    """When it ends, and in `show`, until it is undone."""
    write("a")
    assert "upload files" not in handrail("run", "upload", "src", "out", "-q").stdout
    write(".hidden")
    command = "  which   handrail upload files 2 --state left-out\n"
    assert command in handrail("run", "upload", "src", "out", "-q").stdout
    assert command in handrail("show", "2").stdout
    assert found(handrail("upload", "files", "2", "--state", "left-out").stdout) == [
        ("left-out", ".hidden")
    ]
    assert handrail("rollback", "2", "--yes", "-q").returncode == 0
    assert "upload files" not in handrail("show", "2").stdout

"""`handrail upload verify`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import NotFoundError
from handrail_upload import Manifest
from handrail_upload.errors import CatalogueError, UploadError

STATE = Path(".handrail/uploads")


def test_verify(run: Callable[..., Any], uploaded: str, here: Path) -> None:
    """The latest upload is compared with its target and the catalogue."""
    for option, how in (((), "sizes and ETags compared"), (("--checksum",), "content read")):
        code, out, err = run("verify", *option)
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            f"upload     {uploaded}",
            f"target     {here}/out",
            f"catalogue  {here}/out.db",
            f"3 files, 2 kB · {how} · all as it was uploaded",
        ]


def test_verify_as_json(run: Callable[..., Any], uploaded: str, here: Path) -> None:
    """With --json the comparison is one document."""
    (here / "out" / "b").unlink()
    code, out, _ = run("verify", "--json")
    assert code == 1
    assert json.loads(out) == {
        "schema": 1,
        "id": None,
        "uid": uploaded,
        "target": f"{here}/out",
        "catalogue": f"{here}/out.db",
        "files": 3,
        "bytes": 2004,
        "differences": [{"key": "b", "where": "target", "what": "it is missing"}],
    }


def test_differences_at_the_target(run: Callable[..., Any], uploaded: str, here: Path) -> None:
    """What is missing or has another size is told; a changed byte when the content is read."""
    (here / "out" / "a").write_text("bbb")
    (here / "out" / "b").write_text("longer")
    (here / "out" / "sub" / "c").unlink()
    code, out, _ = run("verify")
    assert code == 1
    found = [
        "  target     b  it has 6 bytes, not 1",
        "  target     sub/c  it is missing",
    ]
    assert out.splitlines()[3:-1] == found
    assert out.splitlines()[-1].endswith("· 2 differences")
    code, out, _ = run("verify", "--checksum")
    assert code == 1
    assert out.splitlines()[3:-1] == ["  target     a  its content is different", *found]


def test_differences_in_the_catalogue(run: Callable[..., Any], uploaded: str, here: Path) -> None:
    """What is not registered, or registered otherwise, is told."""
    with closing(sqlite3.connect(here / "out.db")) as db:
        db.execute("DELETE FROM handrail_data_file WHERE key = 'a'")
        db.execute("UPDATE handrail_data_file SET size = 7 WHERE key = 'b'")
        db.execute("UPDATE handrail_data_file SET sha256 = 'x' WHERE key = 'sub/c'")
        db.commit()
    code, out, _ = run("verify")
    assert code == 1
    assert out.splitlines()[3:-1] == [
        "  catalogue  a  it is not registered",
        "  catalogue  b  another file is registered for its unit and role",
        "  catalogue  sub/c  another content is registered",
    ]


def test_many_differences(
    write: Callable[..., Path], here: Path, upload: Callable[..., Any], run: Callable[..., Any]
) -> None:
    """Fifty differences are shown, and how many more there are; JSON has all."""
    write({f"{n:03}": "x" for n in range(60)})
    upload()
    for path in (here / "out").glob("[!.]*"):
        path.unlink()
    lines = run("verify")[1].splitlines()
    assert len(lines) == 3 + 50 + 2
    assert lines[-2] == "  ... and 10 more"
    assert lines[-1].endswith("60 differences")
    assert len(json.loads(run("verify", "--json")[1])["differences"]) == 60


def test_which_upload(upload: Callable[..., Any], run: Callable[..., Any], uploaded: str) -> None:
    """An upload is named by its id."""
    second = upload()["run"]
    for each in (uploaded, second):
        assert run("verify", each)[1].splitlines()[0] == f"upload     {each}"
    assert run("verify")[1].splitlines()[0] == f"upload     {second}"
    with pytest.raises(NotFoundError, match="there is no upload xyz in ") as caught:
        run("verify", "xyz")
    assert caught.value.ways_out == ("handrail runs --action upload",)


def test_verify_without_any(run: Callable[..., Any], here: Path) -> None:
    """Where there is no upload, the error says how to name another folder."""
    with pytest.raises(NotFoundError, match="there is no upload in nowhere") as caught:
        run("verify", "--state-folder", "nowhere")
    assert caught.value.ways_out == ("give the folder where they are kept: --state-folder FOLDER",)
    assert list(here.iterdir()) == []


def test_without_the_catalogue(run: Callable[..., Any], uploaded: str, here: Path) -> None:
    """A catalogue that is gone is an error that names it, and it is not made anew."""
    (here / "out.db").unlink()
    with pytest.raises(CatalogueError, match="is not there"):
        run("verify")
    assert not (here / "out.db").exists()


def test_a_run_that_has_not_finished(run: Callable[..., Any], uploaded: str, here: Path) -> None:
    """An upload that never ended is verified as that."""
    path = here / STATE / f"{uploaded}.db"
    with closing(Manifest(path)) as manifest:
        manifest.describe(finished=None)
    assert run("verify")[1].splitlines()[0] == f"upload     {uploaded} · not finished"
    with closing(Manifest(path)) as manifest:
        manifest.describe(target=None)
    with pytest.raises(UploadError, match=f"the upload {uploaded} ended before it had a target"):
        run("verify")


def test_a_damaged_list(
    run: Callable[..., Any], uploaded: str, here: Path, damage: Callable[[Path], None]
) -> None:
    """A list of files that is damaged is told as that."""
    path = here / STATE / f"{uploaded}.db"
    damage(path)
    with pytest.raises(UploadError, match=f"{uploaded}.db cannot be used: "):
        run("verify")


def test_the_real_command(handrail: Callable[..., Any], uploaded: str, here: Path) -> None:
    """It exits with 0, 1 for differences, 2 for no upload, and tells errors in one line."""
    done = handrail("upload", "verify", uploaded)
    assert (done.returncode, done.stderr) == (0, "")
    (here / "out" / "a").unlink()
    assert handrail("upload", "verify").returncode == 1
    done = handrail("upload", "verify", "xyz")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: there is no upload xyz in .handrail/uploads, where nothing is kept of one that was "
        "undone",
        "  handrail runs --action upload",
    ]
    done = handrail("upload")
    assert "handrail run upload SOURCE TARGET    upload a folder\n" in done.stdout + done.stderr
    for arguments in (["--help"], ["verify", "--help"]):
        shown = handrail("upload", *arguments).stdout
        assert max(map(len, shown.splitlines())) <= 100


def test_names_that_are_no_text(
    write: Callable[..., Path], upload: Callable[..., Any], handrail: Callable[..., Any], here: Path
) -> None:
    """Names that could move the cursor, or are no UTF-8, are told as %XX."""
    write("x")
    for name in (b"caf\xe9", b"\x1b[31m"):
        with open(b"src/" + name, "wb") as file:
            file.write(b"x")
    upload()
    for path in (here / "out").glob("[!.]*"):
        path.unlink()
    done = handrail("upload", "verify")
    assert "  target     %1B[31m  it is missing" in done.stdout
    assert "  target     caf%E9  it is missing" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_run_has_one_name(write: Callable[..., Path], handrail: Callable[..., Any]) -> None:
    """Its number: in what a run prints, in lists and errors; its UUID is taken, too."""
    write("a")
    done = handrail("run", "upload", "src", "out", "-q")
    assert "  check   handrail upload verify 1\n" in done.stdout
    assert handrail("upload", "verify", "1").stdout.startswith("upload     1\n")
    uid = json.loads(handrail("upload", "verify", "1", "--json").stdout)["uid"]
    checked = json.loads(handrail("upload", "verify", uid, "--json").stdout)
    assert (checked["id"], checked["uid"]) == (1, uid)
    unknown = handrail("upload", "verify", "7")  # 1 would say that something is different.
    assert (unknown.returncode, "there is no upload 7 in" in unknown.stderr) == (2, True)
    assert handrail("show", uid).stdout.startswith("run 1 · upload")

"""Names as file systems really have them, and what else lies about in a source."""

from __future__ import annotations

import os
import socket

import pytest

ODD = [
    "with space.txt",
    " leading and trailing ",
    "it's.txt",
    'a "quote".txt',
    "two\nlines.txt",
    "tab\there.txt",
    "carriage\rreturn.txt",
    "snow ☃ and 🦄.txt",
    "e\u0301 combined.txt",
    "\u00e9 composed.txt",
    "100%.txt",
    "50%25.txt",
    "a#b?c&d=e.txt",
    "a+b.txt",
    "semi;colon,comma.txt",
    "back\\slash.txt",
    "-rf",
    "--help",
    "$(touch oops) `touch oops`",
    "a:b*c<d>e|f.txt",
    "[brackets]{braces}.txt",
    "~tilde",
    "...",
    "COM1.txt",
    "x" * 255,
    "ü" * 127,
    "deep/" * 40 + "file.txt",
    "trailing dot./file.",
]


def fill(scene, names=ODD):
    for number, name in enumerate(names):
        path = os.fsencode(scene.source) + b"/" + os.fsencode(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"content %d" % number)


def keys(scene):
    """Keys and contents of what is at the target, without things of others."""
    prefix = "" if scene.place.url.startswith("/") else "data/"
    return {
        key.removeprefix(prefix): scene.place.content(key.removeprefix(prefix))
        for key, about in scene.place.stamps().items()
        if "others" not in key and about != "folder"
    }


def readable(name):
    out = []
    for char in name:
        if ord(char) < 32 or 0xDC80 <= ord(char) <= 0xDCFF:
            out += [f"%{byte:02X}" for byte in os.fsencode(char)]
        else:
            out.append(char)
    return "".join(out)


def test_odd_names(scene):
    """Each name arrives with its content, again nothing is sent, and an undo takes all."""
    fill(scene)
    done = scene.upload(hidden=True)
    assert done.code == 0, done.message
    expected = {readable(name): b"content %d" % number for number, name in enumerate(ODD)}
    assert keys(scene) == expected
    files = scene.catalogue.rows()["handrail_data_file"]
    assert {row[3] for row in files} == set(expected)
    again = scene.upload(hidden=True)
    assert again.code == 0
    assert again.result["bytes"] == 0


def test_odd_names_undone(scene, tools):
    """Nothing of them stays behind."""
    fill(scene)
    before = scene.world()
    done = scene.upload(tools.failing_after("generate_data_units"), hidden=True)
    assert done.code == 1
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite", "moto-postgres"], indirect=True)
def test_odd_names_replaced_and_undone(scene, tools):
    """Also when each of them had replaced something."""
    fill(scene)
    for name in ODD:
        scene.place.put(readable(name), b"old")
    before = scene.world()
    edit = tools.failing_after("upload_files")
    done = scene.upload(edit, hidden=True, if_exists="overwrite")
    assert done.code == 1
    assert done.error.rollback_errors == ()
    assert scene.world() == before


def test_names_that_are_no_text(scene, tools):
    """Bytes that are no UTF-8 are written as %XX in keys and in the catalogue."""
    names = [os.fsdecode(name) for name in (b"latin-\xe9.txt", b"\xff\xfe/x", b"half-\xed\xa0\x80")]
    fill(scene, names)
    before = scene.world()
    assert scene.upload(tools.failing_after("generate_data_units")).code == 1
    assert scene.world() == before
    done = scene.upload_command()
    assert done.code == 0, done.err
    expected = {
        "latin-%E9.txt": b"content 0",
        "%FF%FE/x": b"content 1",
        "half-%ED%A0%80": b"content 2",
    }
    assert keys(scene) == expected
    again = scene.upload()
    assert again.result["bytes"] == 0
    (code, differences) = (0, [])
    verified = scene.command("upload", "verify", "--checksum")
    assert (verified.code, differences) == (code, []), verified.out


@pytest.mark.parametrize("scene", ["local-sqlite", "moto-postgres"], indirect=True)
def test_names_that_become_the_same(scene):
    """A name that looks like another one written as %XX is a problem, not an overwrite."""
    fill(scene, [os.fsdecode(b"a\xff.txt"), "a%FF.txt"])
    before = scene.world()
    done = scene.upload()
    assert done.code == 1
    assert "a%FF.txt" in done.message
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
@pytest.mark.parametrize(
    "line",
    ["../notes.txt", "sub/../../notes.txt", "..", "/etc/hostname", "sub/../../photos/../notes.txt"],
)
def test_lists_that_lead_out_of_the_source(scene, line):
    """A list of files cannot name what is outside of the source."""
    scene.fill({"sub/a.txt": b"ours"})
    (scene.folder / "list.txt").write_text(f"sub/a.txt\n{line}\n")
    before = scene.world()
    done = scene.upload_command("--files-from", "list.txt")
    assert done.code == 1
    assert "outside" in done.error
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_list_with_odd_names(scene):
    """A list separated by NUL may have any name; one that is not there stops the run."""
    fill(scene)
    listed = b"\0".join(os.fsencode(name) for name in ODD)
    (scene.folder / "list.txt").write_bytes(listed)
    done = scene.upload_command("--files-from", "list.txt")
    assert done.code == 0, done.err
    assert len(keys(scene)) == len(ODD)
    (scene.folder / "list.txt").write_bytes(listed + b"\0nowhere.txt")
    before = scene.world()
    done = scene.upload_command("--files-from", "list.txt")
    assert done.code == 1
    assert "nowhere.txt: it is listed, and is not there" in done.error
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_things_that_are_no_files(scene):
    """Links out of the source, loops, pipes, sockets and devices are left alone, and counted."""
    source = scene.source
    scene.fill({"a.txt": b"ours", "sub/b.txt": b"ours"})
    (source / "out.txt").symlink_to(scene.folder / "notes.txt")
    (source / "out").symlink_to(scene.folder)
    (source / "loop").symlink_to(source)
    (source / "sub" / "up").symlink_to("..")
    (source / "itself").symlink_to("itself")
    (source / "ping").symlink_to("pong")
    (source / "pong").symlink_to("ping")
    (source / "nowhere").symlink_to("gone")
    (source / "inside.txt").symlink_to("sub/b.txt")
    os.mkfifo(source / "pipe")
    (source / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(source)  # The path of a socket may have a hundred bytes only.
        server.bind("socket")
        os.chdir(here)
        done = scene.upload()
    assert done.code == 0, done.message
    assert set(keys(scene)) == {"a.txt", "sub/b.txt", "inside.txt"}
    assert keys(scene)["inside.txt"] == b"ours"
    organized = done.context.results["organize_files"].data
    assert organized["left"]["special"] == 2
    assert organized["left"]["link"] >= 7


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_source_that_is_a_link(scene):
    """A source that is itself a link is walked, and its files are inside of it."""
    scene.fill({"a.txt": b"ours", "sub/b.txt": b"ours"})
    (scene.source / "inside.txt").symlink_to("sub/b.txt")
    link = scene.folder / "link"
    link.symlink_to(scene.source)
    done = scene.upload(source=link)
    assert done.code == 0
    assert set(keys(scene)) == {"a.txt", "sub/b.txt", "inside.txt"}


def test_names_that_differ_in_case_only(scene, tools):
    """They are different files wherever the storage says so."""
    names = ["a.txt", "A.txt", "A.TXT", "Sub/x", "sub/x", "ß", "ss", "SS", "\u017fs"]
    fill(scene, names)
    before = scene.world()
    assert scene.upload(tools.failing_after("generate_data_units")).code == 1
    assert scene.world() == before
    assert scene.upload().code == 0
    assert set(keys(scene)) == set(names)


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_two_files_in_one_place_of_a_unit(scene):
    """Two files of one role in one unit are named, and nothing is sent."""
    scene.fill({"image/a.png": b"1", "image/a.jpg": b"2", "image/b.png": b"3"})
    (scene.folder / "spec.toml").write_text("[files.image]\n")
    before = scene.world()
    done = scene.upload_command("--spec", "spec.toml")
    assert done.code == 1, done.err
    assert "image/a.jpg" in done.error + done.err
    assert "image/a.png" in done.error + done.err
    assert scene.world() == before


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
@pytest.mark.parametrize("where", ["target", "source", "both"])
def test_target_and_catalogue_within_the_source(scene, where):
    """What an upload writes into its own source is not uploaded by the next one."""
    scene.fill({"a.txt": b"ours", "sub/b.txt": b"ours"})
    if where in ("target", "both"):
        scene.place.path = scene.source / "sub" / "target"
    if where in ("source", "both"):
        scene.catalogue.path = scene.source / "catalogue.db"
    for expected in (2, 0):
        done = scene.upload(folder=scene.source / "state")
        assert done.code == 0, done.message
        assert done.result["uploaded_files"] == expected
    assert set(keys(scene)) == {"a.txt", "sub/b.txt"}


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_target_around_the_source(scene):
    """A target that holds the source is used, and the source is left as it is."""
    scene.fill({"a.txt": b"ours"})
    scene.place.path = scene.folder
    before = scene.world()["folder"]
    done = scene.upload()
    assert done.code == 0, done.message
    after = scene.world()["folder"]
    assert before.items() <= after.items()
    assert after.keys() - before.keys() >= {"a.txt", "catalogue.db"}


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_odd_words_in_messages(scene):
    """A file with a line break in its name is still told in one line."""
    fill(scene, ["two\nlines.txt"])
    scene.place.put("two%0Alines.txt", b"somebody else's")
    done = scene.upload_command()
    assert done.code == 1
    assert "two%0Alines.txt: something else is stored there" in done.error
    assert "two\nlines" not in done.err

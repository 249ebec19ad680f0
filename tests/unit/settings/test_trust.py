"""Whose files are used, in a table: what the file system says is made up."""

from __future__ import annotations

import os
import stat
from types import SimpleNamespace

import pytest

from handrail import trust

ROOT, ADA, MALLORY = 0, 1001, 1666
FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


class MadeUp:
    """The module `os` of a machine with one file, `/there/file`.

    Args:
        euid: Who looks at it.
        cwd: Whom the working folder belongs to.
        owner: Whom the file belongs to.
        mode: Its mode.
        link: Whom a link to it belongs to, where the path is a link.
        variables: The environment.
    """

    def __init__(self, euid, owner, cwd=None, mode=FILE, link=None, **variables):
        self.environ = variables
        self.geteuid = lambda: euid
        self._cwd = euid if cwd is None else cwd
        self._file = SimpleNamespace(st_uid=owner, st_mode=mode)
        self._link = None if link is None else SimpleNamespace(st_uid=link, st_mode=LINK)

    def __getattr__(self, name):
        return getattr(os, name)

    def stat(self, path):
        return SimpleNamespace(st_uid=self._cwd) if path == os.curdir else self._file

    def lstat(self, path):
        return self._link or self._file


def judged(monkeypatch, **machine):
    monkeypatch.setattr(trust, "os", MadeUp(**machine))
    return trust.distrust("/there/file")


TRUSTED = [
    {"euid": ADA, "owner": ADA},
    {"euid": ADA, "owner": ROOT},
    {"euid": ROOT, "owner": ROOT},
    {"euid": ROOT, "owner": ADA, "cwd": ADA},
    {"euid": ADA, "owner": MALLORY, "cwd": MALLORY},
    {"euid": ROOT, "owner": ADA, "SUDO_UID": str(ADA)},
    {"euid": ADA, "owner": ADA, "mode": stat.S_IFREG | 0o664},
    {"euid": ADA, "owner": ADA, "mode": stat.S_IFDIR | 0o2775},
    {"euid": ADA, "owner": ADA, "link": ADA},
    {"euid": ADA, "owner": ROOT, "link": ADA},
    {"euid": ADA, "owner": MALLORY, "HANDRAIL_SAFE_FOLDERS": "*"},
    {"euid": ADA, "owner": MALLORY, "HANDRAIL_SAFE_FOLDERS": "/there"},
    {"euid": ADA, "owner": MALLORY, "HANDRAIL_SAFE_FOLDERS": "/there/file"},
    {"euid": ADA, "owner": MALLORY, "HANDRAIL_SAFE_FOLDERS": "/"},
    {"euid": ADA, "owner": MALLORY, "HANDRAIL_SAFE_FOLDERS": "/elsewhere::/there/"},
    {"euid": ADA, "owner": ADA, "mode": FILE | 0o002, "HANDRAIL_SAFE_FOLDERS": "/there"},
    {"euid": ADA, "owner": ADA, "link": MALLORY, "HANDRAIL_SAFE_FOLDERS": "/there"},
]
REFUSED = [
    {"euid": ADA, "owner": MALLORY},
    {"euid": ROOT, "owner": ADA},
    {"euid": ADA, "owner": MALLORY, "SUDO_UID": str(MALLORY)},
    {"euid": ROOT, "owner": MALLORY, "SUDO_UID": str(ADA)},
    {"euid": ROOT, "owner": MALLORY, "SUDO_UID": "somebody"},
    {"euid": ROOT, "owner": MALLORY, "cwd": ADA},
    {"euid": ADA, "owner": MALLORY, "link": ADA},
    {"euid": ADA, "owner": ADA, "link": MALLORY},
    {"euid": ADA, "owner": MALLORY, "HANDRAIL_SAFE_FOLDERS": ""},
    {"euid": ADA, "owner": MALLORY, "HANDRAIL_SAFE_FOLDERS": "/ther:/there/file/x:/elsewhere"},
    {"euid": ADA, "owner": MALLORY, "HANDRAIL_SAFE_FOLDERS": "there:.:.."},
]


@pytest.mark.parametrize("machine", TRUSTED, ids=str)
def test_whose_files_are_used(monkeypatch, machine):
    """This user's, root's, those of who called sudo and of who owns the working folder."""
    assert judged(monkeypatch, **machine) is None


@pytest.mark.parametrize("machine", REFUSED, ids=str)
def test_whose_files_are_not_used(monkeypatch, machine):
    """Those of all others; the owner is named."""
    found = judged(monkeypatch, **machine)
    owner = MALLORY if MALLORY in (machine["owner"], machine.get("link")) else machine["owner"]
    assert f"/there/file belongs to uid {owner}, whose files are not used here" == found.message


@pytest.mark.parametrize("mode", [FILE | 0o002, FOLDER | 0o002, FOLDER | 0o1002])
def test_what_everyone_may_write_is_not_used(monkeypatch, mode):
    """Whoever it belongs to; a link, which has no mode of its own, is another matter."""
    found = judged(monkeypatch, euid=ADA, owner=ADA, mode=mode, link=ADA)
    assert found.message == "everyone may write /there/file, so it is not used"
    assert "chmod o-w /there/file" in found.ways_out[0]


@pytest.mark.parametrize(("mode", "folder"), [(FILE, "/there"), (FOLDER, "/there/file")])
def test_the_way_out_adds_a_folder_to_those_that_are_safe(monkeypatch, mode, folder):
    """What it says can be pasted, and forgets none of those that were named before."""
    safe = "/a b" + os.pathsep + "/c"
    found = judged(monkeypatch, euid=ADA, owner=MALLORY, mode=mode, HANDRAIL_SAFE_FOLDERS=safe)
    assert found.ways_out[-1].endswith(f"HANDRAIL_SAFE_FOLDERS='{safe}:{folder}' handrail ...")


def test_where_users_have_no_numbers_everything_is_used(monkeypatch):
    """As on Windows, where nobody may write into the folders of others."""
    made_up = MadeUp(euid=ADA, owner=MALLORY)
    monkeypatch.setattr(trust, "os", SimpleNamespace(environ={}, fspath=os.fspath))
    assert trust.distrust("/there/file") is None
    monkeypatch.setattr(trust, "os", made_up)
    assert trust.distrust("/there/file") is not None


def test_what_is_not_there_is_nobodys(tmp_path):
    """Neither a file that is to be made, nor one that may not be looked at, is refused."""
    assert trust.distrust(tmp_path / "nothing") is None
    assert trust.distrust(tmp_path / "nothing" / "below") is None
    assert trust.distrust("\0") is None


def test_what_was_opened_is_looked_at_and_not_what_has_its_name_now(monkeypatch, tmp_path):
    """Others may exchange a file between the look and the opening."""
    file = tmp_path / "file"
    file.write_text("text")
    file.chmod(0o644)
    assert trust.read_file(file) == (b"text", None)
    look = os.fstat

    def exchanged(number):
        found = tuple(look(number))
        return os.stat_result((*found[:4], MALLORY, *found[5:]))

    monkeypatch.setattr(os, "fstat", exchanged)
    raw, found = trust.read_file(file)
    assert (raw, found.owner) == (b"text", f"uid {MALLORY}")


def test_pipes_and_devices_are_not_read(tmp_path):
    """They would wait for their other end, or have none."""
    os.mkfifo(tmp_path / "pipe")
    for each in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="it is not a regular file"):
            trust.read_file(each)

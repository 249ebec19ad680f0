"""Which journal a URL leads to."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import ExitCode, JournalUrlError, NotFoundError, PackError
from handrail.journal.opening import open_journal
from handrail.own_points import own_point
from handrail.sqlite import SqliteJournal


def nothing(_scheme: str) -> None:
    return None


@pytest.mark.parametrize("url", ["{}/runs.db", "sqlite://{}/runs.db", "sqlite:///{}/runs.db"])
def test_a_path_and_an_sqlite_url_lead_to_a_file(tmp_path: Path, url: str) -> None:
    """Three slashes before an absolute path, or four."""
    journal = open_journal(url.format(tmp_path), default="/nowhere", find=nothing)
    assert isinstance(journal, SqliteJournal)
    assert Path(journal.shown) == tmp_path / "runs.db"
    assert (tmp_path / "runs.db").exists()
    journal.close()


def test_nothing_leads_to_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is shown as it was given."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError):
        open_journal(None, default=".handrail/runs.db", find=nothing, create=False)
    journal = open_journal(None, default=".handrail/runs.db", find=nothing)
    assert journal.shown == ".handrail/runs.db"
    journal.close()


def test_the_url_says_what_a_commit_outlives(tmp_path: Path) -> None:
    """`?synchronous=normal` is heard."""
    url = f"sqlite://{tmp_path}/runs.db?synchronous=normal"
    journal: Any = open_journal(url, default="", find=nothing)
    with journal._database.reading() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    journal.close()


def test_other_schemes_are_asked_of_the_packs(tmp_path: Path) -> None:
    """What a pack brings gets the whole URL."""
    asked: list[str] = []
    journal = SqliteJournal(tmp_path / "runs.db")

    def find(scheme: str) -> Any:
        asked.append(scheme)
        return lambda url, create: (asked.append(url), journal)[create]

    assert open_journal("Acme://host/runs", default="", find=find) is journal
    assert asked == ["acme", "Acme://host/runs"]
    journal.close()


class Older(SqliteJournal):
    """A journal that was written for another Handrail."""

    version = 0


@pytest.mark.parametrize("kind", [Older, object])
def test_a_journal_for_another_handrail_is_refused(tmp_path: Path, kind: Any) -> None:
    """Before it records anything; so is what is none."""
    made = kind(tmp_path / "runs.db") if kind is Older else kind()
    with pytest.raises(PackError) as refused:
        open_journal("acme://host/runs", default="", find=lambda _scheme: lambda _url, **_: made)
    assert refused.value.exit_code == ExitCode.PACK


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "'' is not the path of a file"),
        (":memory:", "':memory:' is not the path of a file"),
        ("runs/", "'runs/' is not the path of a file"),
        ("sqlite:runs.db", "sqlite:// must be followed by an absolute path"),
        ("sqlite://runs.db", "sqlite:// must be followed by an absolute path"),
        ("sqlite:///runs.db?sync=off", "an unknown option: 'sync=off'"),
        ("sqlite:///runs.db?synchronous=off", "an unknown option"),
        ("redis://host", "no installed pack provides journals in 'redis:'"),
    ],
)
def test_what_leads_nowhere_is_told_with_the_way_out(url: str, message: str) -> None:
    """It is a mistake of whoever called."""
    with pytest.raises(JournalUrlError) as refused:
        open_journal(url, default="", find=nothing)
    assert message in refused.value.message
    assert refused.value.ways_out
    assert refused.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    "url",
    [
        "acme://ada:s3cret@host/runs",
        "acme://ada:s3/cret@host/runs",
        "acme://host/runs?user=ada&password=s3cret",
        "acme://host/runs?sslPassword=s3cret",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    """Before anybody else sees it."""

    def asked(scheme: str) -> None:
        raise AssertionError(f"a pack was asked for {scheme}")

    with pytest.raises(JournalUrlError, match="has a password in it") as refused:
        open_journal(url, default="", find=asked)
    assert "cret" not in str(refused.value.to_dict())
    assert any("PGPASSWORD" in way for way in refused.value.ways_out)


def test_sqlite_is_loaded_only_when_a_journal_is_opened() -> None:
    """Not by the protocol, nor by what looks at a URL."""
    code = "import handrail.journal.opening, sys; print({'sqlite3', 'fcntl'} & {*sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == "set()"


def test_a_file_is_opened_without_a_look_at_other_distributions(tmp_path: Path) -> None:
    """Nor is what looks for them imported, which takes longer than the rest."""
    code = (
        "import handrail.journal, sys; handrail.journal.open_journal(sys.argv[1]).close();"
        "print({'importlib.metadata', 'importlib_metadata'} & {*sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "runs.db"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == "set()"


def test_a_file_is_opened_by_the_entry_point_of_core() -> None:
    """The one that everybody sees."""
    (entry,) = entry_points(group="handrail.journals", name="sqlite")
    assert entry.dist is not None
    assert entry.dist.name == "handrail"
    assert entry.load() is own_point("handrail.journals", "sqlite")

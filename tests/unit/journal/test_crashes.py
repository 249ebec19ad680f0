"""What a death in the middle leaves in the file, and owners where the kernel has no locks."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from journals.contract import is_stale
from journals.places import SHORT_LEASE, new_run, open_place, until
from journals.process import Process, without_locks

from handrail.builtin.sqlite.kit.owner import Owner, this_process
from handrail.errors import JournalError, RunHeldError
from handrail.journal import Journal, NoteRow


@pytest.fixture
def journal(place: str) -> Iterator[Journal]:
    journal = open_place(place, 20.0)
    yield journal
    journal.close()


def test_a_death_before_the_commit_leaves_nothing(place: str, journal: Journal) -> None:
    """Kill -9 between BEGIN and COMMIT: not a trace, no lock, and the next one goes on."""
    with Process(place) as owner:
        number = owner.ask("open")
        assert owner.ask("note_but_never_commit") == "written"
        assert journal.read(number).notes == ()
    until(lambda: journal.holder(number) is None)
    owned = journal.claim(number)
    owned.write([NoteRow(step="scan", n=1, seq=1, key="made", values="[]")])
    assert len(journal.read(number).notes) == 1


def test_a_write_that_a_signal_breaks_off_ends_all_writing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what it did, so nothing may follow; the file is as good as before."""

    def interrupted(_database: object) -> None:
        raise KeyboardInterrupt

    change = NoteRow(step="scan", n=1, seq=1, key="made", values="[]")
    owned = journal.open_run(new_run())
    with monkeypatch.context() as signals:
        signals.setattr("handrail.builtin.sqlite.database.Database._check_place", interrupted)
        with pytest.raises(KeyboardInterrupt):
            owned.write([change])
    with pytest.raises(JournalError, match="writing to run 1 was interrupted"):
        owned.write([change])
    owned.release()
    assert journal.read(1).notes == ()
    journal.claim(1).write([change])


def test_a_journal_that_was_removed_takes_nothing_more(place: str, journal: Journal) -> None:
    """A file without a name would take everything, and nobody would ever read it."""
    owned = journal.open_run(new_run())
    Path(place).unlink()
    with pytest.raises(JournalError, match="was removed or replaced while it was in use"):
        owned.write([NoteRow(step="scan", n=1, seq=1, key="made", values="[]")])


def test_without_locks_a_dead_process_of_this_machine_is_known(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where flock does not work, a process that is gone has lost its runs at once."""
    monkeypatch.setattr(fcntl, "flock", without_locks)
    journal = open_place(place, 20.0)
    with Process(place, locks=False) as owner:
        number = owner.ask("open")
        holder = journal.holder(number)
        assert holder is not None
        assert f"pid {owner.pid}" in holder.described
        with pytest.raises(RunHeldError):
            journal.claim(number)
        assert owner.ask("note", 1) == "written"
    assert journal.holder(number) is None
    assert journal.claim(number).number == number
    journal.close()


def test_without_locks_a_process_of_another_container_has_its_lease(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither a lock nor a number tells whether it lives, the lease does."""
    monkeypatch.setattr(fcntl, "flock", without_locks)
    with Process(place, locks=False, lease=SHORT_LEASE) as owner:
        number = owner.ask("open")
        owner.stop()
        monkeypatch.setattr("handrail.builtin.sqlite.kit.owner._space", lambda: "pid:[1]")
        journal = open_place(place, 20.0)
        with pytest.raises(RunHeldError):
            journal.claim(number)
        until(lambda: journal.holder(number) is None)
        journal.claim(number)
        owner.go_on()
        assert owner.ask("note", 1) == "LeaseLostError"
        journal.close()


def test_without_locks_a_stopped_process_is_not_taken_for_dead(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives, so that its run has to be taken from it, though its lease is over."""
    monkeypatch.setattr(fcntl, "flock", without_locks)
    with (
        Process(place, locks=False, lease=SHORT_LEASE) as owner,
        closing(open_place(place, 20.0)) as journal,
    ):
        number = owner.ask("open")
        owner.stop()
        until(lambda: is_stale(journal, number))
        with pytest.raises(RunHeldError, match="no sign of life"):
            journal.claim(number)
        journal.claim(number, take_over=True)
        owner.go_on()
        assert owner.ask("note", 1) == "LeaseLostError"


def test_without_locks_one_of_two_rivals_gets_a_run(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looked first and wrote last finds another fence."""
    monkeypatch.setattr(fcntl, "flock", without_locks)
    slow, quick = open_place(place, 20.0), open_place(place, 20.0)
    number = slow.open_run(new_run()).number
    slow.close()
    slow = open_place(place, 20.0)

    def after_the_rival(**words: Any) -> Owner:
        monkeypatch.undo()
        monkeypatch.setattr(fcntl, "flock", without_locks)
        quick.claim(number)
        return this_process(**words)

    monkeypatch.setattr("handrail.builtin.sqlite.claims.this_process", after_the_rival)
    with pytest.raises(RunHeldError):
        slow.claim(number)
    assert slow.read(number).fence == 2
    slow.close()
    quick.close()


def test_without_locks_a_run_that_is_given_up_can_be_claimed(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease ends with it."""
    monkeypatch.setattr(fcntl, "flock", without_locks)
    journal = open_place(place, 20.0)
    owned = journal.open_run(new_run())
    with pytest.raises(RunHeldError):
        journal.claim(owned.number)
    owned.release()
    assert journal.claim(owned.number).number == owned.number
    journal.close()


def test_an_owner_of_an_earlier_boot_is_gone(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reboot the clock of a lease has begun anew, and means nothing."""
    monkeypatch.setattr(fcntl, "flock", without_locks)
    journal = open_place(place, 1e9)
    number = journal.open_run(new_run()).number
    assert journal.holder(number) is not None
    monkeypatch.setattr("handrail.builtin.sqlite.kit.owner.boot", lambda: "another boot")
    assert journal.holder(number) is None
    journal.close()


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_that_is_put_a_day_on_or_back_changes_no_lease(
    place: str, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """One that goes on stays, and one that is over is over."""
    monkeypatch.setattr(fcntl, "flock", without_locks)
    living = open_place(place, 20.0)
    lives = living.open_run(new_run())
    with Process(place, locks=False, lease=0.3) as stopped:
        number = stopped.ask("open")
        stopped.stop()
        put_clock(monkeypatch, days)
        monkeypatch.setattr("handrail.builtin.sqlite.kit.owner._space", lambda: "pid:[1]")
        journal = open_place(place, 20.0)
        until(lambda: journal.holder(number) is None)
        journal.claim(number)
        with pytest.raises(RunHeldError):
            journal.claim(lives.number)
        lives.write([NoteRow(step="scan", n=1, seq=1, key="made", values="[]")])
        journal.close()
    living.close()


def put_clock(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Let the clock on the wall show another day, wherever a journal might look at it."""
    real, shift = time.time, days * 86400

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Shifted:
            return cls.fromtimestamp(real() + shift, tz)

    monkeypatch.setattr(time, "time", lambda: real() + shift)
    monkeypatch.setattr(time, "time_ns", lambda: int((real() + shift) * 1e9))
    for module in ("journal.codec", "builtin.sqlite.kit.owner"):
        monkeypatch.setattr(f"handrail.{module}.datetime", Shifted)

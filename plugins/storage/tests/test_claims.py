"""Claims: runs that share a target, rule by rule, on a folder and on an object storage."""

from __future__ import annotations

import cProfile
import functools
import gzip
import hashlib
import itertools
import json
import os
import traceback
import tracemalloc
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple
from unittest import mock

import pytest

from handrail import PrunedRun
from handrail.frozen import values_of
from handrail_storage import StorageError, open_store
from handrail_storage.backend import contents, looking
from handrail_storage.backend.local import LocalStore
from handrail_storage.backend.requests import Requests
from handrail_storage.backend.small_objects import SmallObjects
from handrail_storage.claims import (
    Claimant,
    ClaimError,
    ClaimLostError,
    ClaimMissingError,
    ClaimRefusedError,
    Claims,
    ClaimStaysError,
    ClaimUndone,
    Clock,
    Held,
    HeldChangedError,
    HeldList,
    State,
    Undoing,
    WantedList,
    claims_at,
    lists,
    parse_mark,
)
from handrail_storage.claims.keys import Keys
from handrail_storage.claims.ledger import Ledger
from handrail_storage.claims.pruning import release
from handrail_storage.claims.reliance import Reliance


@dataclass
class Time:
    """A clock that only sleeping moves on."""

    seconds: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def clock(self):
        return Clock(now=self.now, elapsed=self.now, sleep=self.sleep)


@dataclass
class Run:
    """A run that stores files at a target as a pack does."""

    place: str
    number: int
    time: Time
    overwrite: bool = False
    group: str = "a folder"
    claim: object = None
    cache: object = None

    @property
    def name(self):
        return f"0000{self.number:04}-run"

    @property
    def store(self):
        store = open_store(self.place)
        store.capabilities = Runs.capabilities[self.place]
        return store

    @property
    def claims(self):
        about = Claimant(
            run=self.name,
            number=self.number,
            host=f"build-{self.number}",
            journal="/srv/runs.db",
            group=self.group,
        )
        return Claims(self.store, about, cache=self.cache, clock=self.time.clock)

    def ask(self, *keys, known=None, **options):
        known = known or {}
        wanted = {key: known.get(key) for key in keys}
        self.claim = self.claims.ask(wanted, **options)
        return self.claim

    def put(self, **files):
        """Store files under keys that it has claimed, by the rules; return what it holds."""
        held = []
        store = self.store
        for key, text in files.items():
            content = text.encode()
            sha256 = hashlib.sha256(content).hexdigest()
            found = store.stat(key)
            if found is None:
                self.claim.drop_stale(key)
                found = store.create(key, content, self.claim.mark("put"), sha256)
            elif store.digest(found) != sha256:
                if not self.overwrite:
                    continue
                store.set_aside(key, self.claim.aside(key))
                found = store.replace(key, content, self.claim.mark("put"), found, sha256)
            held.append(Held(key=key, size=found.size, sha256=sha256, etag=found.etag))
        return held

    def complete(self, **files):
        """Claim, store and hold files."""
        self.ask(*files)
        self.claim.hold(self.put(**files))
        return self

    def delete(self, *keys):
        """Delete objects; return that it holds nothing there."""
        found = [each for each, other in self.deletable(*keys).items() if other is None]
        return [Held(key=key, size=lists.NOTHING) for key in self.claim.delete(keys, found)]

    def deletable(self, *keys):
        """Return what it may delete, each with the run of others that relies on it."""
        pages = self.claims.deletion().stored(Keys.of(keys))
        return {each: other for _, found in pages for each, other in found}

    def empty(self, *keys):
        """Claim keys, delete what is there, and hold that."""
        self.ask(*keys, known=dict.fromkeys(keys, ""))
        self.claim.hold(self.delete(*keys))
        return self

    def undo(self, **options):
        undoing = self.claims.undo()
        return None if undoing is None else undoing.run(**options)


class Runs:
    """Runs on one target."""

    capabilities: ClassVar[dict] = {}

    def __init__(self, place):
        self.place = place
        self.time = Time()
        self.store = open_store(place)
        self.store.prepare(lambda name: None)
        self.capabilities[place] = self.store.probe(".handrail-probe", "somebody")

    def run(self, number, **options):
        return Run(self.place, number, self.time, **options)

    def there(self):
        """Return the content under each key."""
        keys = [each.key for each in self.store.listing()]
        return {key: self.store.read(key).decode() for key in keys if key[0] != "."}

    def own(self):
        """Return the names of Handrail's own files."""
        parts = ("claims/", "lists/", "aside/")
        return {name for part in parts for name, _ in self.store.small_files.names(part)}


@pytest.fixture(params=["folder", "memory"])
def runs(request, tmp_path):
    place = tmp_path / "target" if request.param == "folder" else f"memory://{uuid.uuid4()}/at"
    return Runs(str(place))


def watching_looks(monkeypatch):
    """Return a list that takes the keys of objects whose mark is asked for."""
    looks = []
    ask, described = Requests.ask, LocalStore._described

    def asking(requests, key, *client):
        looks.append(key)
        return ask(requests, key, *client)

    def describing(store, key, path, found):
        looks.append(key)
        return described(store, key, path, found)

    monkeypatch.setattr(Requests, "ask", asking)
    monkeypatch.setattr(LocalStore, "_described", describing)
    return looks


@pytest.mark.parametrize("size", [30, 3], ids=["one-page", "many-pages"])
def test_an_undo_asks_for_no_object_that_another_run_holds_too(runs, monkeypatch, size):
    """The lists of both tell that it stays; so the undo of a run that sent nothing takes no longer.

    Whether both hold the same, or each has files that the other one has not.
    """
    monkeypatch.setattr(lists, "PAGE", size)
    monkeypatch.setattr(looking, "_FEW", 0)
    files = {f"{number:02}": str(number) for number in range(20)}
    first, same = runs.run(1).complete(**files), runs.run(2).complete(**files)
    more = runs.run(3).complete(**{key: files[key] for key in list(files)[1:]}, new="new")
    looks = watching_looks(monkeypatch)
    assert same.claims.preview().would_be.stays.total() == 20
    assert more.claims.preview().would_be.stays.total() == 19
    assert more.undo().stays.total() == 19
    assert same.undo().stays.total() == 20
    assert {key for key in looks if not key.startswith(".")} == {"new"}
    assert runs.there() == files
    assert first.undo().deleted == 20
    assert runs.own() == set()


def test_an_undo_reads_no_more_lists_than_tell_that_all_stays(runs, monkeypatch):
    """However many nights there were: the latest one holds the same files, or the run held none."""
    files = {f"{number:02}": str(number) for number in range(20)}
    first = runs.run(1).complete(**files)
    for number in range(2, 7):
        runs.run(number).complete(**files, **{f"new{number}": "new"})
    read = set()
    find = lists.Beside._find

    def finding(beside, keys):
        read.add(id(beside._open))
        return find(beside, keys)

    monkeypatch.setattr(lists.Beside, "_find", finding)
    assert first.claims.preview().would_be.stays.total() == 20
    assert len(read) == 1
    read.clear()
    killed = runs.run(7)
    killed.ask(*files)
    assert killed.claims.preview().would_be.stays.total() == 0
    assert len(read) <= 1  # What it is known to have made.


def test_what_others_have_put_in_the_place_of_a_shared_object_is_told(runs):
    """Of another size or ETag, it is nothing that a run relies on, and stays as it is."""
    first = runs.run(1).complete(a="1", b="2")
    second = runs.run(2).complete(a="1", b="2")
    runs.store.delete(["a"])
    runs.store.create("a", b"theirs", "somebody else")
    done = first.undo()
    assert (done.deleted, done.foreign) == (0, 1)
    assert done.stays.total() == 1
    assert second.undo().deleted == 1
    assert runs.there() == {"a": "theirs"}


def test_an_undo_finds_who_relies_on_an_object_on_whatever_page_it_is(runs, monkeypatch):
    """Lists of others are read page by page with its own; if it is not told which, only slower."""
    monkeypatch.setattr(Reliance, "turn_to", lambda self, keys: None)
    monkeypatch.setattr(lists, "PAGE", 2)
    first = runs.run(1).complete(**{key: key for key in "abcdefgh"})
    runs.run(2).complete(**{key: key for key in "acdfgh"})
    assert first.undo().deleted == 2
    assert runs.there() == {key: key for key in "acdfgh"}


def test_claims_are_for_all_who_may_use_the_folder(tmp_path):
    """With the modes of the target, not with the umask of the user who comes first."""
    target = tmp_path / "target"
    target.mkdir()
    target.chmod(0o2775)
    (target / "a").write_text("theirs")
    umask = os.umask(0o077)
    try:
        runs = Runs(str(target))
        runs.run(1, overwrite=True).complete(a="ours")
    finally:
        os.umask(umask)
    own = list((target / ".handrail-target").rglob("*"))
    assert {path.stat().st_mode & 0o7777 for path in own if path.is_dir()} == {0o2775}
    kept = ("state.spare", "a")  # Read by nobody else, and what somebody else had.
    written = [path for path in own if path.name not in kept and path.is_file()]
    assert {path.stat().st_mode & 0o7777 for path in written} == {0o664}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_two_users_of_a_group_share_a_folder(tmp_path):
    """Each claims, stores and undoes, and leaves what the other relies on."""
    target = tmp_path / "target"
    target.mkdir()
    os.chown(target, 0, 54321)
    target.chmod(0o2770)
    for above in (tmp_path, *tmp_path.parents):
        above.chmod(above.stat().st_mode | 0o011)  # So that others can reach it.
    runs = Runs(str(target))
    first = runs.run(1).complete(a="1", b="2")
    assert as_other_user(54322, 54321, lambda: runs.run(2).complete(a="1", c="3")) == 0
    assert first.undo().deleted == 1
    assert as_other_user(54322, 54321, runs.run(2).undo) == 0
    assert list(target.iterdir()) == []


def as_other_user(uid, gid, call):
    """Call something in a child process of another user, and return its exit code."""
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setgroups([gid])
            os.setgid(gid)
            os.setuid(uid)
            os.umask(0o077)
            call()
            code = 0
        except BaseException:  # noqa: BLE001 - told, and the child ends
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_what_nobody_of_ours_has_made_is_never_deleted(runs):
    """An equal object of others is relied on, but stays when that run is undone."""
    runs.store.create("a", b"1", "somebody else")
    run = runs.run(1).complete(a="1", b="2")
    done = run.undo()
    assert (done.deleted, done.foreign) == (1, 1)
    assert runs.there() == {"a": "1"}


def test_what_was_overwritten_is_put_back(runs):
    """With its mark: it is still that of others."""
    runs.store.create("a", b"theirs", "somebody else")
    run = runs.run(1, overwrite=True).complete(a="ours")
    assert runs.there() == {"a": "ours"}
    assert run.undo().restored == 1
    assert runs.there() == {"a": "theirs"}
    assert runs.store.stat("a").mark == "somebody else"
    assert runs.own() == set()


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3), (2, 3, 1), (1, 3, 2)])
def test_what_was_there_before_three_overwrites_is_back_after_their_undos_in_any_order(runs, order):
    """Copies are followed along the marks, also past runs that are gone."""
    runs.store.create("a", b"theirs", "somebody else")
    three = {
        number: runs.run(number, overwrite=True).complete(a=f"of {number}") for number in (1, 2, 3)
    }
    for number in order:
        three[number].undo()
    assert runs.there() == {"a": "theirs"}
    assert runs.own() == set()


def test_a_copy_that_others_rely_on_is_put_back_before_older_ones(runs):
    """Run 2 has overwritten what run 1 still holds."""
    runs.store.create("a", b"theirs", "somebody else")
    runs.run(1, overwrite=True).complete(a="first")
    runs.run(2, overwrite=True).complete(a="second").undo()
    assert runs.there() == {"a": "first"}


def test_a_key_that_was_given_up_is_not_relied_on(runs):
    """Run 2 has kept what was there, of which its list then says nothing."""
    first = runs.run(1).complete(a="1")
    runs.run(2).complete(a="other", b="2")
    assert first.undo().deleted == 1
    assert runs.there() == {"b": "2"}


def test_a_run_is_refused_while_another_works_with_the_same_keys(runs):
    """The message names the run, its machine, its journal and what to do."""
    first = runs.run(1)
    first.ask("a", "b")
    with pytest.raises(ClaimRefusedError) as caught:
        runs.run(2).ask("b", "c")
    error = caught.value
    assert error.exit_code == 3
    assert "run 1 on build-1" in error.message
    assert "journal /srv/runs.db" in error.message
    assert "is working on the same keys" in error.message
    ways_out = "\n".join(error.ways_out)
    assert "--claim-wait 10m" in ways_out
    assert "handrail resume 1 --journal /srv/runs.db" in ways_out
    assert f"handrail claims {runs.place}" in ways_out
    assert [each.run for each in claims_at(runs.store)[0]] == [first.name]
    assert not any("0002-run" in name for name in runs.own())


def test_runs_with_other_keys_do_not_meet(runs):
    """Nor those with the same keys and the same digests that are known before."""
    runs.run(1).ask("a", known={"a": "1" * 64})
    runs.run(2).ask("b")
    runs.run(3).ask("a", known={"a": "1" * 64})
    with pytest.raises(ClaimRefusedError):
        runs.run(4).ask("a", known={"a": "2" * 64})


def test_a_run_that_waits_goes_on_when_the_other_is_done(runs):
    """It says for whom it waits."""
    first = runs.run(1)
    first.ask("a")
    waits = []

    def waiting(error, left):
        waits.append((str(error.state.claimant), left))
        if len(waits) == 3:
            first.claim.hold(first.put(a="1"))

    second = runs.run(2)
    second.ask("a", wait=600, waiting=waiting)
    assert [who for who, _ in waits] == ["run 1 on build-1"] * 3
    assert all(0 < left <= 600 for _, left in waits)


def test_waiting_ends_when_the_time_is_over(runs):
    """After the ten minutes that were asked for, and not much later."""
    runs.run(1).ask("a")
    before = runs.time.now()
    with pytest.raises(ClaimRefusedError):
        runs.run(2).ask("a", wait=600)
    assert 600 <= runs.time.now() - before < 601


def test_an_undo_is_refused_while_another_run_works_with_the_same_keys(runs):
    """The run is as it was, and can be undone afterwards."""
    first = runs.run(1).complete(a="1")
    second = runs.run(2)
    second.ask("a")
    with pytest.raises(ClaimRefusedError, match="run 2 on build-2 is working on the same keys"):
        first.undo()
    assert {each.run: each.state for each in claims_at(runs.store)[0]} == {
        first.name: State.HOLDS,
        second.name: State.WORKING,
    }
    second.claim.hold([])
    assert first.undo().deleted == 1


def test_a_run_is_refused_while_another_is_undone(runs):
    """A killed undo stays in the way until somebody ends it."""
    first = runs.run(1).complete(a="1")
    first.claims.undo()  # And its process is killed.
    with pytest.raises(ClaimRefusedError, match="is being undone") as caught:
        runs.run(2).ask("a")
    assert "handrail rollback 1" in "\n".join(caught.value.ways_out)
    assert first.undo().deleted == 1
    runs.run(2).ask("a")


def test_a_killed_run_is_undone_by_its_marks_alone(runs):
    """It has not said what it holds, so only objects with its own mark go."""
    first = runs.run(1).complete(a="1")
    second = runs.run(2)
    second.ask("a", "b")
    second.put(a="1", b="2")  # And it is killed.
    assert second.undo().deleted == 1
    assert runs.there() == {"a": "1"}
    first.undo()
    assert runs.own() == set()


def test_a_killed_run_leaves_what_another_run_has_made_even_if_nobody_holds_it(runs):
    """It has not said what it leaves, so the mark of another run is not enough."""
    first = runs.run(1)
    first.ask("a")
    first.put(a="1")
    first.claim.hold([])
    second = runs.run(2)
    second.ask("a", "b")
    second.put(a="1", b="2")  # And it is killed.
    assert second.undo().deleted == 1
    assert runs.there() == {"a": "1"}


def test_copies_of_runs_that_still_hold_something_stay(runs):
    """Where somebody has overwritten what was there, no other run's undo takes them."""
    runs.store.create("a", b"theirs", "somebody else")
    first = runs.run(1, overwrite=True).complete(a="ours")
    runs.store.replace("a", b"later", "somebody else", runs.store.stat("a"))
    second = runs.run(2, overwrite=True).complete(a="second")
    assert second.undo().restored == 1
    assert runs.there() == {"a": "later"}
    copies = [name for name in runs.own() if name.startswith("aside/")]
    assert [name.split("/")[2] for name in copies] == [first.name]
    first.undo()
    assert runs.there() == {"a": "later"}
    assert runs.own() == set()


def test_a_list_of_an_attempt_that_was_killed_goes_with_the_run(runs, monkeypatch):
    """The resumed run leaves another one; nothing else names the first."""
    run = runs.run(1)
    run.ask("a", "b")
    held = run.put(a="1", b="2")

    class Killed(BaseException):
        """The end of a process."""

    def put_held(ledger, digest, content):
        original(ledger, digest, content)
        raise Killed

    with monkeypatch.context() as patch:
        original = Ledger.put_held
        patch.setattr(Ledger, "put_held", put_held)
        with pytest.raises(Killed):
            run.claim.hold(held)
    again = runs.run(1)
    again.claim = again.claims.ask({"a": None, "b": None}, claimed=True)
    again.claim.hold(held[:1])
    assert sum(name.startswith("lists/") for name in runs.own()) == 2
    again.undo()
    assert runs.own() == set()


def test_of_two_runs_that_ask_in_different_epochs_none_goes_on(runs):
    """They would take each other's objects for foreign; both begin anew."""
    first = runs.run(1)
    first.ask("a")
    name = f"claims/{first.name}/state"
    state = json.loads(runs.store.small_files.get(name).content)
    state |= {"state": "asking", "epoch": "0" * 16}
    runs.store.small_files.put(name, json.dumps(state).encode())
    with pytest.raises(ClaimRefusedError):
        runs.run(2).ask("b")
    state["state"] = "working"
    runs.store.small_files.put(name, json.dumps(state).encode())
    assert runs.run(2).ask("b").epoch == "0" * 16


def test_a_resumed_run_goes_on(runs):
    """Its claim is taken up by another process."""
    run = runs.run(1)
    run.ask("a")
    run.put(a="1")
    again = runs.run(1)
    again.claim = again.claims.ask({"a": None}, claimed=True)
    again.claim.hold(again.put(a="1"))
    with pytest.raises(ClaimLostError):
        run.claim.hold([])


def test_a_run_that_holds_must_not_change_anything_more(runs):
    """Its process was killed just after; others may work with its keys by then."""
    run = runs.run(1).complete(a="1")
    again = run.claims.ask({"a": None}, claimed=True)
    assert again.holds
    with pytest.raises(ClaimError, match="has done its work"):
        again.touch()


def test_a_resumed_run_without_a_claim_stops(runs):
    """With exit code 3: others may have undone what it had left."""
    with pytest.raises(ClaimMissingError) as caught:
        runs.run(1).claims.ask({"a": None}, claimed=True)
    assert caught.value.exit_code == 3


def test_a_run_whose_files_have_changed_does_not_take_up_its_claim(runs):
    """A changed list of files is a new run."""
    runs.run(1).ask("a")
    with pytest.raises(ClaimError, match="not those that it has claimed"):
        runs.run(1).claims.ask({"a": None, "b": None}, claimed=True)


def test_a_run_without_a_claim_deletes_nothing(runs):
    """Somebody has removed the claims: nothing says any more who relies on what."""
    run = runs.run(1).complete(a="1")
    runs.store.small_files.remove_all(sorted(runs.own()))
    assert run.undo() is None
    assert runs.there() == {"a": "1"}


def test_objects_of_another_epoch_are_foreign(runs):
    """They were made before somebody had removed the claims."""
    runs.run(1).complete(a="1")
    runs.store.small_files.remove_all(sorted(runs.own()))
    second = runs.run(2).complete(a="1")
    epochs = {parse_mark(runs.store.stat("a").mark).epoch, second.claim.epoch}
    assert len(epochs) == 2
    done = second.undo()
    assert (done.deleted, done.foreign) == (0, 1)
    assert runs.there() == {"a": "1"}


def test_a_missing_epoch_is_that_of_the_runs_that_have_begun(runs):
    """Else two runs would take each other's objects for foreign."""
    first = runs.run(1)
    first.ask("a")
    runs.store.small_files.remove("claims/epoch")
    second = runs.run(2)
    second.ask("b")
    assert second.claim.epoch == first.claim.epoch


def test_a_claim_is_renewed_when_it_is_due(runs):
    """Every ten minutes, not before."""
    run = runs.run(1)
    claim = run.ask("a")
    renewed = [claims_at(runs.store)[0][0].renewed]
    for seconds in (500, 200):
        runs.time.seconds += seconds
        claim.touch()
        renewed.append(claims_at(runs.store)[0][0].renewed)
    assert renewed[0] == renewed[1]
    assert renewed[2] == pytest.approx(runs.time.now())


def test_an_owner_that_was_away_for_half_an_hour_sends_nothing(runs):
    """Others may have undone the run meanwhile."""
    claim = runs.run(1).ask("a")
    runs.time.seconds += 1800
    with pytest.raises(ClaimLostError, match="30 minutes"):
        claim.touch()


def test_an_owner_whose_claim_was_taken_stops(runs):
    """At the next renewal."""
    run = runs.run(1)
    claim = run.ask("a")
    run.claims.free(waiting=lambda left: None, take_over=True)
    runs.time.seconds += 700
    with pytest.raises(ClaimLostError, match="no longer its own"):
        claim.touch()


def test_a_freed_run_is_not_undone_by_two(runs):
    """While somebody frees it from outside, its own rollback waits its turn."""
    run = runs.run(1)
    run.ask("a")
    run.claims.free(waiting=lambda left: None, take_over=True)
    with pytest.raises(ClaimError, match="handrail claims --undo"):
        run.undo()
    runs.time.seconds += 3600
    assert run.undo() is not None


def test_a_sealed_run_stays(runs):
    """What it had replaced is gone, so nothing could be put back."""
    runs.store.create("a", b"theirs", "somebody else")
    run = runs.run(1, overwrite=True).complete(a="ours")
    opened = run.claims.opened()
    opened.seal()
    assert opened.discard_asides() == 1
    with pytest.raises(ClaimError, match="stays"):
        run.undo()
    assert runs.there() == {"a": "ours"}


@pytest.fixture
def kept(runs):
    """A run that has replaced a file of somebody else, and keeps that for an hour."""
    runs.store.create("a", b"theirs", "somebody else")
    run = runs.run(1, overwrite=True).complete(a="ours")
    assert run.claims.opened().keep_replaced(3600) == runs.time.seconds + 3600
    return run


def asides(runs):
    return {name for name in runs.own() if name.startswith("aside/")}


def test_what_was_replaced_comes_back_as_long_as_it_is_kept(runs, kept):
    """Also while other runs come and go."""
    runs.time.seconds += 3599
    runs.run(2).complete(b="another")
    assert kept.claims.preview().would_be.restored == 1
    assert kept.undo().restored == 1
    assert runs.there() == {"a": "theirs", "b": "another"}


def test_a_run_stays_once_what_it_has_replaced_is_not_kept_any_more(runs, kept):
    """From that moment on, also where nobody has discarded it yet."""
    runs.time.seconds += 3600
    assert "was kept until" in kept.claims.preview().obstacle.message
    for undo in (kept.undo, lambda: kept.claims.free(waiting=print, take_over=True)):
        with pytest.raises(ClaimStaysError, match="was kept until") as refused:
            undo()
        assert refused.value.exit_code == 5
    assert runs.there() == {"a": "ours"}
    assert asides(runs)


def test_the_next_run_discards_what_is_not_kept_any_more(runs, kept):
    """What the other one holds is relied on as before, and its undo is refused as before."""
    runs.time.seconds += 3600
    after = runs.run(2, overwrite=True).complete(a="newer")
    assert asides(runs) == {name for name in asides(runs) if after.name in name}
    assert after.undo().restored == 1
    assert runs.there() == {"a": "ours"}
    with pytest.raises(ClaimStaysError, match="was kept until"):
        kept.undo()


def test_an_undo_that_has_begun_in_time_goes_on(runs, kept, monkeypatch):
    """A later run discards nothing that it needs, and is not kept from its keys for ever."""
    with monkeypatch.context() as patch:
        patch.setattr(Undoing, "run", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            kept.undo()
    runs.time.seconds += 7200
    runs.run(2).complete(b="another")
    assert kept.undo().restored == 1
    assert runs.there() == {"a": "theirs", "b": "another"}


@pytest.mark.parametrize("nth", [1, 2])
def test_a_run_that_dies_while_it_discards_leaves_the_rest_to_the_next(
    runs, kept, monkeypatch, nth
):
    """Before or after the copies are gone, the run that has kept them is sealed."""
    runs.time.seconds += 3600
    usual, calls = Ledger.swap, []

    def swap(ledger, entry, state):
        if entry.state.run == kept.name:
            calls.append(state)
            if len(calls) == nth:
                raise KeyboardInterrupt
        return usual(ledger, entry, state)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "swap", swap)
        with pytest.raises(KeyboardInterrupt):
            runs.run(2).complete(b="another")
    with pytest.raises(ClaimStaysError, match="was kept until"):
        kept.undo()
    runs.run(3).complete(c="more")
    assert not asides(runs)
    (state,) = [each for each in claims_at(runs.store)[0] if each.run == kept.name]
    assert (state.sealed, state.dropped) == (True, True)


def test_a_journal_that_forgets_a_run_says_what_is_discarded_with_it(runs, kept):
    """How many files, and their bytes."""
    data = {"upload_files": {"target": [runs.place], "claim": [kept.name]}}
    pruned = PrunedRun(
        uid=kept.name,
        number=1,
        action="upload",
        outcome="completed",
        project="p",
        folder="/",
        rollback_data=data,
    )
    assert release(pruned) == "1 replaced file that it kept discarded (6 B)"
    assert release(pruned) is None
    assert not asides(runs)


def test_what_a_pruned_run_holds_is_relied_on_for_ever(runs):
    """Its claim is gone, and its list is with those that are kept."""
    first, second = runs.run(1).complete(a="1"), runs.run(2).complete(a="1", b="2")
    first.claims.prune()
    assert [each.run for each in claims_at(runs.store)[0]] == [second.name]
    assert second.undo().deleted == 1
    assert runs.there() == {"a": "1"}
    assert first.undo() is None


def test_a_journal_that_forgets_a_run_releases_its_claim(runs):
    """By what the steps of the run have recorded; again does nothing."""
    run = runs.run(1).complete(a="1")
    data = {"upload_files": {"target": [runs.place], "claim": [run.name, "of-another-run"]}}
    pruned = PrunedRun(
        uid=run.name,
        number=1,
        action="upload",
        outcome="completed",
        project="p",
        folder="/",
        rollback_data={"initialize": {"target": [runs.place]}, **data},
    )
    release(pruned)
    release(pruned)
    assert claims_at(runs.store)[0] == []
    assert runs.there() == {"a": "1"}
    assert runs.run(2).complete(a="1").undo().deleted == 0


def test_a_pruned_run_that_holds_nothing_leaves_nothing():
    """Also where the storage knows no conditions: there is nothing to add to what others hold."""
    runs = Runs(f"memory://{uuid.uuid4()}/at")
    Runs.capabilities[runs.place] = replace(runs.capabilities[runs.place], replace_if=False)
    run = runs.run(1)
    run.ask().hold([])
    run.claims.prune()
    assert runs.own() == set()


def test_a_run_that_holds_nothing_yet_is_not_pruned(runs):
    """Only what is complete can be kept."""
    run = runs.run(1)
    run.ask("a")
    run.claims.prune()
    assert [each.state for each in claims_at(runs.store)[0]] == [State.WORKING]


def test_equal_nights_share_one_list(runs):
    """What is held is stored once, until the last of them is undone; a state is all of a night."""
    nights = [runs.run(number).complete(a="1", b="2") for number in (1, 2, 3)]
    names = [name for name in runs.own() if not name.endswith(("/state", "/epoch"))]
    assert [name.partition("/")[0] for name in names] == ["lists"]
    for night in nights:
        night.undo()
    assert runs.own() == set()


def test_a_run_can_be_undone_on_a_disk_that_is_full(small_disk):
    """Its claim can be changed in the space that is kept for that, and then objects go."""
    disk = small_disk(1)
    runs = Runs(str(disk / "target"))
    run = runs.run(1)
    run.ask("a")
    run.put(a="x" * 100_000)
    second = runs.run(2).complete(b="1")
    fill_up(disk)
    assert run.undo().deleted == 1
    fill_up(disk)
    assert second.undo().deleted == 1
    assert list((disk / "target").iterdir()) == []


def fill_up(disk):
    """Fill a disk with files of one block, to the last one."""
    for number in itertools.count():
        path = disk / f"{uuid.uuid4()}"
        try:
            path.write_bytes(b"x" * (65536 if number < 16 else 4096))
        except OSError:
            if number >= 16:
                return


def test_a_preview_changes_nothing_and_says_what_the_undo_would(runs):
    """Down to the bytes, and who is in the way."""
    first = runs.run(1).complete(a="1", b="22")
    runs.run(2).complete(a="1")
    runs.run(3).ask("b")
    before = runs.own(), runs.there()
    preview = first.claims.preview()
    assert (preview.would_be.deleted, preview.would_be.size) == (1, 2)
    assert {str(who): n for who, n in preview.would_be.stays.items()} == {"run 2 on build-2": 1}
    assert "run 3 on build-3 is working on" in preview.obstacle.message
    assert (runs.own(), runs.there()) == before


def test_all_that_is_asked_of_an_undo_beforehand_reads_each_list_once(tmp_path, monkeypatch):
    """A list of a million files takes a while to come; so do the states of a thousand claims."""
    runs = Runs(f"memory://{uuid.uuid4()}/at")
    run = runs.run(1, cache=tmp_path / "claims").complete(a="1", b="2")
    runs.run(2).complete(b="2", c="3")
    reads = reading(monkeypatch)
    claims = run.claims
    assert claims.preview().would_be.deleted == 1
    assert claims.preview().would_be.stays.total() == 1
    assert claims.count_passing_on() == (0, 2)
    assert len([name for name in reads if name.startswith("lists/")]) == 1
    states = [name for name in reads if name.endswith("/state")]
    assert [name.split("/")[1] for name in states] == [run.name, runs.run(2).name, *[run.name] * 2]


def test_an_object_of_others_that_appears_during_the_undo_is_left(runs, monkeypatch):
    """It is looked at again where the condition fails."""
    run = runs.run(1).complete(a="1")
    undoing = run.claims.undo()
    store = undoing._store
    delete_found = store.delete_found

    def replaced_before(found, progress=None):
        monkeypatch.undo()
        there = runs.store.stat("a")
        runs.store.replace("a", b"theirs", "somebody else", there)
        return delete_found(found)

    monkeypatch.setattr(store, "delete_found", replaced_before)
    assert undoing.run().deleted == 0
    assert runs.there() == {"a": "theirs"}


def test_progress_reaches_the_number_of_keys(runs):
    """So that the time left can be told."""
    run = runs.run(1).complete(**{f"k{number}": "x" for number in range(5)})
    seen = []
    run.undo(progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (5, 5)


def test_a_damaged_claim_stops_a_run_and_is_listed(runs):
    """Nothing can be decided without it; the message names the file."""
    runs.run(1).ask("a")
    runs.store.small_files.put("claims/00000001-run/state", b'{"schema": 9}')
    with pytest.raises(StorageError, match=r"claims/00000001-run/state at .* cannot be read"):
        runs.run(2).ask("a")
    found, damaged = claims_at(runs.store)
    assert [each.state for each in found] == [State.ASKING]
    assert len(damaged) == 1
    assert runs.run(2).undo() is None
    assert claims_at(runs.store)[0] == []


def test_a_list_that_leads_out_of_the_target_is_refused(runs):
    """Whoever can write the claims must not make an undo delete elsewhere."""
    run = runs.run(1)
    run.ask("a")
    text = b'["../elsewhere",null]\n'
    name = "claims/00000001-run"
    state = json.loads(runs.store.small_files.get(f"{name}/state").content)
    state["wanted"] = hashlib.sha256(text).hexdigest()
    runs.store.small_files.put(f"{name}/state", json.dumps(state).encode())
    runs.store.small_files.put(f"{name}/list", gzip.compress(text))
    with pytest.raises(StorageError, match="leads out of the target"):
        run.undo()


def reading(monkeypatch):
    """Return the names of the small objects that are read from now on."""
    reads = []

    def told(read):
        return lambda self, name: (reads.append(name), read(self, name))[1]

    for each in ("get", "content"):
        monkeypatch.setattr(SmallObjects, each, told(getattr(SmallObjects, each)))
    return reads


def test_claims_of_others_are_read_once(tmp_path, monkeypatch):
    """A night costs no more the more nights there were: their claims have not changed."""
    runs = Runs(f"memory://{uuid.uuid4()}/at")
    counts = []
    reads = reading(monkeypatch)
    for number in range(1, 8):
        reads.clear()
        run = runs.run(number, cache=tmp_path / "cache").complete(a="1", b="2")
        run.claim.shared([Held(key="a", size=1, sha256=hashlib.sha256(b"1").hexdigest())])
        counts.append(len(reads))
    assert len(set(counts[2:])) == 1, counts


def test_runs_on_which_a_run_relies_are_told_by_as_few_lists_as_that_takes(tmp_path, monkeypatch):
    """The latest ones first; where nights differ, the list of the last one tells of most files."""
    runs = Runs(f"memory://{uuid.uuid4()}/at")
    runs.run(1).complete(a="1", b="2", x="x")
    runs.run(2).complete(a="1", b="2", y="y")
    runs.run(3).complete(a="1", z="z")
    reads = reading(monkeypatch)

    def told(number, new, **files):
        run = runs.run(number).complete(**files, **{new: new})
        reads.clear()
        found = [
            Held(key=key, size=len(text), sha256=hashlib.sha256(text.encode()).hexdigest())
            for key, text in files.items()
        ]
        names = {str(who) for who in run.claim.shared(found)}
        return names, len([name for name in reads if name.startswith("lists/")])

    assert told(4, "n4", a="1") == ({"run 3 on build-3"}, 1)
    assert told(5, "n5", a="1", b="2") == ({"run 4 on build-4", "run 2 on build-2"}, 3)
    assert told(6, "zz6", zz="3") == (set(), 0)
    alike = runs.run(7).complete(a="1", b="2", n5="n5").claim.shared([])
    assert [each.run for each in alike] == ["00000005-run"]


@pytest.mark.parametrize(
    ("keys", "lists", "settled"), [("mz", 1, True), ("ab", 1, False), ("xyz", 0, True)]
)
def test_a_run_that_comes_with_other_keys_changes_nothing_of_what_is_held(
    tmp_path, monkeypatch, keys, lists, settled
):
    """Its list tells, which is read only where its keys are not all before or behind the others."""
    runs = Runs(f"memory://{uuid.uuid4()}/at")
    first = runs.run(1, cache=tmp_path).complete(a="1", n="2")
    runs.run(2).complete(**dict.fromkeys(keys, "1"))
    reads = reading(monkeypatch)
    assert first.claim.holding().is_settled is settled
    assert len([name for name in reads if name.startswith("lists/")]) == lists


def test_a_list_that_is_there_is_not_written_again(runs, monkeypatch):
    """However many files a night has: its digest tells that they are those of the night before."""
    runs.run(1).complete(a="1", b="2")

    def refuse(*_given):
        raise AssertionError("it was written")

    monkeypatch.setattr(Ledger, "put_held", refuse)
    runs.run(2).complete(a="1", b="2")
    with pytest.raises(AssertionError, match="written"):
        runs.run(3).complete(a="1", c="2")


class Cost(NamedTuple):
    """What something takes: bytes at a time, and calls."""

    peak: int
    calls: int


def lines_of(keys):
    """Return the keys of a run, and the lines of what it wants and holds."""
    listed = [f"d{each // 500:04}/f{each:06}.bin" for each in range(keys)]
    digests = [hashlib.sha256(key.encode()).hexdigest() for key in listed]  # Nothing packs them.
    wanted = [f'["{key}",null]' for key in listed]
    return wanted, [f'["{key}",1024,"{d}",null]' for key, d in zip(listed, digests, strict=True)]


def test_claims_of_more_keys_take_no_more_memory_or_calls_for_each(runs, monkeypatch):
    """Texts are worked on in pages: nothing is made for each key of a night like the last one.

    Nor is a list in memory while it is sent, or is read.
    """
    monkeypatch.setattr(contents, "_SMALL", 1 << 12)

    def night(number, keys, last="1024"):
        wanted, held = lines_of(keys)
        held[-1] = held[-1].replace("1024", last)
        run = runs.run(number)
        profile = cProfile.Profile()
        tracemalloc.start()
        profile.enable()
        claim = run.claims.ask(WantedList(lambda: wanted))
        claim.hold(HeldList(lambda: held))
        claim.shared(HeldList(lambda: held))
        profile.disable()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return Cost(peak, sum(each.callcount for each in profile.getstats()))

    few, many = 5_000, 50_000
    night(0, few)
    few_alike, few_other = night(1, few), night(2, few, last="1025")
    night(3, many)
    alike, other = night(4, many), night(5, many, last="1025")
    assert alike.calls - few_alike.calls < 2 * (many - few)
    assert alike.peak - few_alike.peak < 20 * (many - few)
    assert other.peak - few_other.peak < 20 * (many - few)


def test_an_undo_of_more_keys_takes_no_more_memory(runs, monkeypatch):
    """Its list, and that of what it has put, are read in pages beside those of others.

    Nor are keys under which nothing was, and which are looked at again for requests in flight.
    """
    monkeypatch.setattr(lists, "PAGE", 100)
    monkeypatch.setattr(contents, "_SMALL", 1 << 12)
    monkeypatch.setattr("handrail_storage.backend.objects.MEMORY_LAG", 1.0)

    def undo(number, keys):
        wanted, held = lines_of(keys)
        others = runs.run(number + 1)
        others.claims.ask(WantedList(lambda: wanted)).hold(HeldList(lambda: held))
        run = runs.run(number)
        run.claims.ask(WantedList(lambda: wanted)).hold(HeldList(lambda: held[1:]))
        tracemalloc.start()
        undone = run.claims.undo().run(made=HeldList(lambda: held), late=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert values_of(undone) == values_of(ClaimUndone())
        others.undo()
        return peak

    few, many = 5_000, 20_000  # The list of a few fills the buffers of gzip.
    undo(0, few)
    peak = undo(2, few)
    each = 20 if runs.store.local else 70  # A storage in memory hands over a list as a whole.
    assert undo(4, many) - peak < each * (many - few)


def test_what_arrives_late_is_found_on_whatever_page_its_key_is(monkeypatch):
    """Where nothing was, it is looked again, and nothing is counted twice."""
    monkeypatch.setattr(lists, "PAGE", 3)
    monkeypatch.setattr("handrail_storage.backend.objects.MEMORY_LAG", 1.0)
    runs = Runs(f"memory://{uuid.uuid4()}/at")
    run = runs.run(1)
    claim = run.ask(*"abcdefghi")
    run.put(**dict.fromkeys("aei", "1"))
    runs.store.create("f", b"theirs", "somebody else")

    def arrive(seconds):
        runs.store.create("h", b"late", claim.mark("put"))

    runs.time.sleep = arrive
    undone = run.undo(late=True)
    assert (undone.deleted, undone.foreign) == (4, 1)
    assert runs.there() == {"f": "theirs"}


def test_a_key_at_which_the_storage_refuses_does_not_keep_an_undo_from_the_others(tmp_path):
    """The claim stays, and the undo goes on where it was refused."""
    runs = Runs(str(tmp_path))
    files = {f"{folder}/{number}": "1" for folder in "abc" for number in range(3)}
    run = runs.run(1).complete(**files)
    away = tmp_path.with_name("away")
    (tmp_path / "b").rename(away)
    (tmp_path / "b").symlink_to(away)
    with pytest.raises(StorageError, match=r"it leads out of .*, and 2 more"):
        run.undo()
    assert [path.name for path in sorted(away.iterdir())] == ["0", "1", "2"]
    assert not list(tmp_path.glob("[ac]/*"))
    (tmp_path / "b").unlink()
    away.rename(tmp_path / "b")
    assert run.undo().deleted == 3
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_for_copies_that_a_killed_run_has_made_goes_with_the_last_claim(tmp_path):
    runs = Runs(str(tmp_path / "target"))
    run = runs.run(1, overwrite=True)
    run.ask("deep/a")
    (tmp_path / "target" / run.claim.aside("deep/a")).parent.mkdir(parents=True)
    run.undo()
    assert list((tmp_path / "target").iterdir()) == []


def test_an_interrupt_while_the_first_claim_is_written_leaves_nothing(tmp_path):
    """Wherever it comes, also a file that has not got its name yet goes when the run is undone."""
    calls = ("os.mkdir", "os.fsync", "os.replace", "os.stat")
    for nth in itertools.count():
        target = tmp_path / str(nth)
        runs, left = Runs(str(target)), nth

        def interrupted(call, *args, **kwargs):
            nonlocal left
            left -= 1
            if left == -1:
                raise KeyboardInterrupt
            return call(*args, **kwargs)

        with ExitStack() as patches:
            for name in calls:
                real = getattr(os, name.removeprefix("os."))
                patches.enter_context(mock.patch(name, functools.partial(interrupted, real)))
            with suppress(KeyboardInterrupt):
                runs.run(1).ask("a")
        runs.run(1).undo()
        assert list(target.iterdir()) == [], nth
        if left >= 0:
            break
    assert nth > 20, "most of them were not counted"


def test_the_undo_of_a_deletion_puts_back_what_others_rely_on(runs):
    first = runs.run(1).complete(a="1", b="2")
    second = runs.run(2).complete(a="1", b="2")
    third = runs.run(3).complete(b="2")
    fourth = runs.run(4).empty("a")
    assert runs.there() == {"b": "2"}
    assert fourth.claims.preview().would_be.restored == 1
    assert fourth.undo().restored == 1
    assert runs.there() == {"a": "1", "b": "2"}
    assert [each.undo() is not None for each in (first, second, third)] == [True] * 3
    assert (runs.there(), runs.own()) == ({}, set())


@pytest.mark.parametrize("foreign", [None, "0"], ids=["new", "over-a-file-of-others"])
def test_in_whatever_order_runs_are_undone_the_latest_one_left_has_the_last_word(foreign):
    """Each has put or deleted what is under one key; nothing is lost, and nothing is left."""
    for order in itertools.permutations(range(5)):
        runs = Runs(f"memory://{uuid.uuid4()}/at")
        if foreign is not None:
            runs.store.create("a", foreign.encode(), "somebody else")
        left = {}
        for number, content in enumerate(("1", None, "2", None, "3")):
            run = runs.run(number, overwrite=True)
            left[number] = run.empty("a") if content is None else run.complete(a=content), content
        for number in order:
            left.pop(number)[0].undo()
            last = [content for _, content in left.values()]
            assert runs.there().get("a") == (last[-1] if last else foreign), order
        assert runs.own() == set(), order


def test_what_a_deleted_object_had_replaced_outlives_the_run_that_made_it(runs):
    runs.store.create("a", b"theirs", "somebody else")
    first = runs.run(1, overwrite=True).complete(a="1")
    second = runs.run(2).empty("a")
    first.undo()
    assert runs.there().get("a") is None
    second.undo()
    assert (runs.there().get("a"), runs.own()) == ("theirs", set())


def test_something_of_others_that_has_come_since_stays(runs):
    first, second = runs.run(1).complete(a="1"), runs.run(2).empty("a")
    runs.store.create("a", b"theirs", "somebody else")
    assert second.undo().foreign == 1
    first.undo()
    assert (runs.there().get("a"), runs.own()) == ("theirs", set())


@pytest.mark.parametrize("killed", ["before", "between", "after"])
@pytest.mark.parametrize("alone", [False, True], ids=["by-its-journal", "from-the-list-alone"])
def test_a_killed_deletion_is_undone(runs, killed, alone):
    runs.run(1).complete(a="1")
    second = runs.run(2)
    second.ask("a", known={"a": ""})
    if killed == "between":
        second.store.set_aside("a", second.claim.aside("a"))
    if killed == "after":
        second.delete("a")
    if alone:
        second.claims.free(waiting=lambda left: None, take_over=True).run()
    else:
        second.undo()
    assert runs.there().get("a") == "1"
    assert not any("aside" in name for name in runs.own())
    assert len(claims_at(runs.store)[0]) == 1


def test_two_runs_do_not_delete_the_same_at_a_time(runs):
    """Each would have a copy of one object, and no undo knows which of them was the first."""
    runs.run(1).complete(a="1")
    runs.run(2).ask("a", known={"a": ""})
    with pytest.raises(ClaimRefusedError):
        runs.run(3).ask("a", known={"a": ""})


def test_only_what_the_same_group_holds_may_be_deleted(runs):
    runs.store.create("theirs", b"0", "somebody else")
    runs.run(1).complete(theirs="0", a="1", both="2")
    other = runs.run(2, group="another").complete(both="2", b="3")
    third = runs.run(3)
    found = third.deletable("theirs", "a", "both", "b", "x")
    relying = {each.key: None if who is None else who.run for each, who in found.items()}
    assert relying == {"a": None, "both": other.name}
    assert runs.run(4, group="").claims.deletion() is None


def test_pruned_runs_count_by_their_group(runs):
    first = runs.run(1).complete(a="1", b="2")
    second = runs.run(2, group="another").complete(b="2")
    third = runs.run(3).complete(a="1")
    for run in (first, second, third):
        run.claims.prune()
    found = runs.run(4).deletable("a", "b")
    assert {each.key: other for each, other in found.items()} == {"a": None, "b": Claimant(run="")}
    fourth = runs.run(4).empty("a")
    assert runs.there().get("a") is None
    fourth.undo()
    assert runs.there().get("a") == "1"


def test_an_object_that_was_changed_is_not_deleted(runs):
    """It is neither what a run holds, nor is it still what was found."""
    runs.run(1).complete(a="1", b="2")
    runs.store.delete(["a"])
    runs.store.create("a", b"other", "somebody else")
    second = runs.run(2)
    second.ask("a", "b", known={"a": "", "b": ""})
    found = [*second.deletable("a", "b")]
    assert [each.key for each in found] == ["b"]
    runs.store.delete(["b"])
    runs.store.create("b", b"others", "somebody else")
    assert second.claim.delete(["a", "b"], found) == set()
    assert runs.there() == {"a": "other", "b": "others"}
    assert not any("aside" in name for name in runs.own())


def test_a_run_that_holds_nothing_is_told_of_what_has_come_since(runs):
    runs.run(1).complete(a="1")
    second = runs.run(2).empty("a")
    holding = second.claims.holding()
    holding.look()
    runs.store.create("a", b"theirs", "somebody else")
    with pytest.raises(HeldChangedError):
        holding.look()


def test_clocks_that_differ_do_not_change_the_order_of_runs():
    """The clock of the machine that deletes last is behind."""
    runs = Runs(f"memory://{uuid.uuid4()}/at")
    first, second = runs.run(1).complete(a="1"), runs.run(2).empty("a")
    third = runs.run(3).complete(a="3")
    runs.time.seconds -= 3600
    fourth = runs.run(4).empty("a")
    since = [each.since for each in claims_at(runs.store)[0]]
    assert since == sorted(set(since))
    second.undo()
    fourth.undo()
    assert runs.there().get("a") == "3"
    third.undo()
    assert runs.there().get("a") == "1"
    first.undo()
    assert runs.own() == set()

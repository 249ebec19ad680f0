"""Each store of this library keeps the promises of stores."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handrail.frozen import replace
from handrail_storage import StorageError, Store, Stored, TakenError, open_store
from handrail_storage.backend import objects

OURS, THEIRS = "0198-run/save", "0199-run/save"

_MIB = 1 << 20
_NAMES = (
    *("plain.txt", "with space", " leading", "trailing ", "umlaut äöü ß", "日本語/漢字.bin"),
    *("emoji-😀", "plus+and&amp", "per%cent%20", "hash#and?query", "semi;colon,comma", "a=b@c~d"),
    *("quote'and\"quote", "dots...", "deep/er/and/deeper/x", "k" * 250),
)


class StoreContract:
    """The promises of every store; a subclass provides the fixtures.

    `store` is an empty, prepared store. `missing` is a store whose bucket does not exist; None if
    that is impossible.

    Attributes:
        many: Number of objects in a listing; more than fit into one answer of the server.
        big: Bytes of a large file, which is sent in several parts.
    """

    many: int = 1_100
    big: int = 20 * _MIB + 12_345

    def again(self, store: Store) -> Store:
        """Open the same place once more, as another process does."""
        return open_store(store.address, store.caller)

    # Looking

    def test_nothing_is_there_at_first(self, store: Store) -> None:
        """Requests for missing objects are no errors, nor is their deletion."""
        assert store.stat("no/such") is None
        assert store.read("no/such") is None
        assert list(store.listing()) == []
        assert list(store.listing("no/")) == []
        assert store.stats(["no/such", "nor/this"]) == {}
        assert store.look_up(["no/such", "nor/this"]) == {}
        store.delete(["no/such", "nor/this"])
        store.delete([])
        _refused(lambda: b"".join(store.blocks("no/such")))

    def test_an_object_is_read_as_it_was_put(self, store: Store) -> None:
        """Its content, its size, its mark and its digest are those that were given."""
        for key, content in (("a/b.txt", b"content"), ("empty", b""), ("a/c.txt", b"\0\xff\n")):
            stored = store.create(key, content, OURS)
            assert (stored.key, stored.size, stored.mark) == (key, len(content), OURS)
            assert stored.sha256 == _sha256(content)
            assert store.read(key) == content
            assert b"".join(store.blocks(key)) == content
            assert store.stat(key) == stored
            assert self.again(store).stats([key]) == {key: stored}
            assert store.digest(stored) == _sha256(content)
            assert store.digest(replace(stored, sha256=None)) == _sha256(content)
            gone = replace(stored, key="no/such", sha256=None)
            _refused(lambda: store.digest(gone))  # noqa: B023 - called at once

    def test_a_digest_that_is_known_is_not_computed(self, store: Store, tmp_path: Path) -> None:
        """It is recorded as it was given, also of a file that is sent in parts."""
        for key, content in (("a", b"1"), ("b", _staged(tmp_path, "big", _content(self.big)))):
            found = store.create(key, content, OURS, "0" * 64)
            assert found.sha256 == "0" * 64
            found = store.replace(key, content, OURS, found, "1" * 64)
            assert found.sha256 == "1" * 64
            assert store.stat(key) == found

    def test_a_prefix_lists_what_is_below_it(self, store: Store) -> None:
        """Keys that only begin alike are not below it."""
        for key in ("a/1", "a/b/2", "ab/3", "4"):
            store.create(key, key.encode(), OURS)
        assert _keys(store) == ["4", "a/1", "a/b/2", "ab/3"]
        assert _keys(store, "a/") == ["a/1", "a/b/2"]
        assert _keys(store, "a/b/") == ["a/b/2"]
        assert {each.size for each in store.listing("ab/")} == {4}

    def test_what_runs_keep_for_themselves_is_not_listed(self, store: Store) -> None:
        """Their claims and copies are in the place, but are no objects of it."""
        store.create("a", b"1", OURS)
        store.small_files.put("claims/epoch", b"1")
        store.set_aside("a", ".handrail-target/aside/run/a")
        store.create("b/.handrail-target/c", b"1", OURS)
        assert _keys(store) == ["a", "b/.handrail-target/c"]
        assert _keys(store, ".handrail-target/aside/") == [".handrail-target/aside/run/a"]

    def test_many_objects_are_listed_and_deleted(self, store: Store) -> None:
        """More than one answer of a server has, or one request to delete takes."""
        keys = self._fill(store)
        assert _keys(store, "many/") == keys
        store.create("kept", b"1", OURS)
        store.delete([*keys, "many/never"])
        assert _keys(store) == ["kept"]

    def test_many_objects_are_looked_up(self, store: Store) -> None:
        """Also among others, and with keys that are not there."""
        keys = self._fill(store)
        wanted = keys[len(keys) // 10 :: 3]
        found = store.look_up([*wanted, "many/never", "before", "so/after"])
        assert sorted(found) == wanted
        assert all(each.is_same(found[key]) for key, each in store.stats(wanted[:100]).items())

    def _fill(self, store: Store) -> list[str]:
        """Create many objects, and return their keys in order."""
        keys = [f"many/{number:05}" for number in range(self.many)]
        with ThreadPoolExecutor(1 if store.local else 16) as pool:
            for _ in pool.map(store.create, keys, [b"1"] * len(keys), [OURS] * len(keys)):
                pass
        return keys

    def test_any_name_can_be_a_key(self, store: Store) -> None:
        """Keys are returned unchanged, with any letters."""
        for name in _NAMES:
            store.create(name, name.encode(), OURS)
        for name in _NAMES:
            assert store.read(name) == name.encode(), name
            assert _mark(store, name) == OURS, name
        assert _keys(store) == sorted(_NAMES)
        found = store.look_up(_NAMES)
        assert sorted(found) == sorted(_NAMES)
        assert store.delete_found(list(found.values())) == set()
        assert _keys(store) == []

    def test_a_large_file_arrives_whole(self, store: Store, tmp_path: Path) -> None:
        """A file sent in several parts has the same digest when it is read."""
        staged = _staged(tmp_path, "big", _content(self.big))
        stored = store.create("big.bin", staged, OURS)
        assert stored.size == self.big
        assert stored.sha256 == _sha256(_content(self.big))
        assert store.digest(replace(stored, sha256=None)) == stored.sha256
        assert store.stat("big.bin") == stored

    # Create new objects, replace known ones

    def test_nothing_is_replaced_unasked(self, store: Store, tmp_path: Path) -> None:
        """Creating is refused where something is, also to the same run, and changes nothing."""
        store.create("a", b"theirs", THEIRS)
        contents: Sequence[bytes | Path] = (b"ours", _staged(tmp_path, "staged", b"ours"))
        for content in contents:
            for mark in (OURS, THEIRS):
                _taken(lambda: store.create("a", content, mark))  # noqa: B023 - called at once
        assert store.read("a") == b"theirs"
        assert _mark(store, "a") == THEIRS

    def test_one_of_several_is_first(self, store: Store) -> None:
        """If several create one key at once, one succeeds, if the storage supports that."""
        if not store.probe(".handrail-probe-0198-run", OURS).create_only:
            return
        stores = [store, *(self.again(store) for _ in range(7))]

        def create(number: int) -> bool:
            try:
                stores[number].create("first", str(number).encode(), f"run-{number}/save")
            except TakenError:
                return False
            return True

        with ThreadPoolExecutor(len(stores)) as pool:
            arrived = list(pool.map(create, range(len(stores))))
        assert arrived.count(True) == 1
        assert store.read("first") == str(arrived.index(True)).encode()

    def test_what_was_found_is_replaced(self, store: Store, tmp_path: Path) -> None:
        """An object is replaced only as long as it has not changed."""
        found = store.create("a", b"first", THEIRS)
        second = store.replace("a", _staged(tmp_path, "second", b"second"), OURS, found)
        assert store.read("a") == b"second"
        assert not second.is_same(found)
        assert (store.stat("a"), second.mark) == (second, OURS)
        third = _staged(tmp_path, "third", b"third")
        _taken(lambda: store.replace("a", third, THEIRS, found))
        assert store.read("a") == b"second"
        store.delete(["a"])
        _taken(lambda: store.replace("a", third, THEIRS, second))
        assert store.read("a") is None

    # Undoing

    def test_only_what_was_found_is_deleted(self, store: Store) -> None:
        """An object that has taken its place stays."""
        found = store.create("a", b"first", OURS)
        store.delete(["a"])
        now = store.create("a", b"another", THEIRS)
        assert store.delete_found([found]) == {"a"}
        assert store.read("a") == b"another"
        assert store.delete_found([now]) == set()
        assert store.delete_found([now]) == set()
        assert store.delete_found([]) == set()
        assert _keys(store) == []

    def test_only_what_was_found_is_deleted_of_many(self, store: Store) -> None:
        """A few that have changed keep none of the others; the progress is told."""
        store.probe(".handrail-probe-0198-run", OURS)
        keys = self._fill(store)
        found = list(store.listing("many/"))
        changed = {keys[0], keys[len(keys) // 2], keys[-1]}
        store.delete([*changed, keys[7]])
        for key in changed:
            store.create(key, b"another", THEIRS)
        told: list[int] = []
        assert store.delete_found(found, told.append) == changed
        assert _keys(store) == sorted(changed)
        assert sum(told) == len(keys)
        assert len(told) >= -(-len(keys) // 1000)

    def test_what_was_set_aside_is_put_over(self, store: Store, tmp_path: Path) -> None:
        """The very content comes back, with its mark and its digest; the copy stays."""
        store.probe(".handrail-probe-0198-run", OURS)
        for number, content in enumerate((b"theirs", _content(self.big))):
            key, name = f"a b/{number}", f"aside/a b/{number}"
            found = store.create(key, _staged(tmp_path, "old", content), THEIRS)
            store.set_aside(key, name)
            store.set_aside(key, name)
            now = store.replace(key, _staged(tmp_path, "new", b"new"), OURS, found)
            assert not store.put_over(name, key, found)
            assert not store.put_over(name, key, None)
            assert store.read(key) == b"new"
            assert store.put_over(name, key, now)
            self._is_back(store, key, name, found)
            store.delete([key])
            assert not store.put_over(name, key, found)
            assert store.put_over(name, key, None)
            self._is_back(store, key, name, found)
        _refused(lambda: store.set_aside("no/such", "aside/no/such"))
        _refused(lambda: store.put_over("aside/no/such", "no/such", None))

    def _is_back(self, store: Store, key: str, name: str, before: Stored) -> None:
        for each in (key, name):
            found = store.stat(each)
            assert found is not None
            assert (found.size, found.mark, found.sha256) == (
                before.size,
                before.mark,
                before.sha256,
            )
            assert store.digest(replace(found, sha256=None)) == before.sha256

    def test_folders_that_were_made_go_again(self, store: Store) -> None:
        """Folders that the keys needed are removed once they are empty."""
        folders = store.missing_folders(["f/g/1", "f/h/2"])
        store.create("f/g/1", b"1", OURS)
        store.create("f/h/2", b"2", OURS)
        store.delete(["f/h/2"])
        store.withdraw(folders)
        assert _keys(store) == ["f/g/1"]
        store.delete(["f/g/1"])
        store.withdraw(folders)
        store.withdraw(folders)
        assert store.missing_folders(["f/g/1", "f/h/2"]) == folders

    # Failures

    def test_a_probe_leaves_nothing(self, store: Store) -> None:
        """It can be repeated, and cleared, any number of times."""
        shown = store.probe(".handrail-probe-0198-run", OURS)
        assert store.capabilities == shown
        assert store.probe(".handrail-probe-0198-run", OURS) == shown
        store.clear_probe(".handrail-probe-0198-run", OURS)
        assert _keys(store) == []

    def test_a_key_leads_nowhere_else(self, store: Store) -> None:
        """Nothing outside of the place is read, written or deleted."""
        for key in ("../outside", "a/../../outside"):
            _refused(lambda: store.create(key, b"1", OURS))  # noqa: B023 - called at once
            _refused(lambda: store.read(key))  # noqa: B023 - called at once
            _refused(lambda: store.delete([key]))  # noqa: B023 - called at once

    def test_a_place_that_is_missing_is_an_error(self, missing: Store | None) -> None:
        """The error is that of the caller, and names the place or the key."""
        if missing is None:
            return
        for call in (lambda: missing.create("a", b"1", OURS), lambda: list(missing.listing())):
            error = _refused(call)
            assert isinstance(error, missing.caller.error)
            assert missing.url in error.message
            assert not error.passing


def _keys(store: Store, prefix: str = "") -> list[str]:
    return sorted(each.key for each in store.listing(prefix))


def _mark(store: Store, key: str) -> str | None:
    found = store.stat(key)
    return None if found is None else found.mark


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _content(size: int) -> bytes:
    block = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(1024))
    return (block * (size // len(block) + 1))[:size]


def _staged(folder: Path, name: str, content: bytes) -> Path:
    """Write a file that the store can use: a folder needs it in its file system."""
    path = folder / f"staged-{name}"
    path.write_bytes(content)
    return path


def _taken(call: Callable[[], object]) -> None:
    try:
        call()
    except TakenError:
        return
    raise AssertionError("what was there was replaced")


def _refused(call: Callable[[], object]) -> StorageError:
    try:
        call()
    except StorageError as error:
        return error
    raise AssertionError("it was not refused")


def ready(place: str) -> Store:
    store = open_store(place, retries=2)
    store.prepare(lambda name: None)
    return store


class TestFolder(StoreContract):
    many = 120  # Each is flushed to the disk.

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return ready(str(tmp_path / "target" / "deep"))

    @pytest.fixture
    def missing(self) -> None:
        """A folder that is not there is made."""


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return ready(f"memory://{uuid.uuid4()}/deep/er")

    @pytest.fixture
    def missing(self) -> None:
        """A memory is there once it is opened."""


class Bucket(StoreContract):
    server: str

    @pytest.fixture
    def store(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
        server: Any = request.getfixturevalue(self.server)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        return ready(f"s3://{server.bucket()}/deep/er")

    @pytest.fixture
    def missing(self, store: Store) -> Store:
        return open_store("s3://acme-nowhere/deep", retries=2)


class TestMoto(Bucket):
    server = "moto"
    many = 120  # It takes its time for each; more than one answer holds are tried with radosgw.


@pytest.mark.slow
class TestRadosgw(Bucket):
    server = "radosgw"
    big = 20 << 20  # It confuses what it reads from parts that are no whole MiB.

    @pytest.fixture(autouse=True)
    def one_part_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It may refuse parts of one upload that arrive side by side."""
        monkeypatch.setattr(objects, "_AT_A_TIME", 1)


class TestAzurite(StoreContract):
    @pytest.fixture
    def store(self, azurite: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
        for name, value in azurite.environment().items():
            monkeypatch.setenv(name, value)
        return ready(f"az://{azurite.container()}/deep/er")

    @pytest.fixture
    def missing(self, store: Store) -> Store:
        return open_store("az://acme-nowhere/deep", retries=2)

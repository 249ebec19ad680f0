"""The promises of every store, as pytest tests for authors of stores.

class TestMyStore(StoreContract):
@pytest.fixture
def store(self, tmp_path):
store = MyStore(...)
store.prepare(lambda name: None)
return store

@pytest.fixture
def missing(self):
return MyStore(...)  # its bucket is not there
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from handrail_storage.access import open_store
from handrail_storage.errors import StorageError, TakenError
from handrail_storage.store import Store
from handrail_storage.stored import Identity, Stored

__all__ = ["StoreContract"]

OURS, THEIRS = "0198-run/save", "0199-run/save"

_MIB = 1 << 20
_NAMES = (
    *("plain.txt", "with space", " leading", "trailing ", "umlaut äöü ß", "日本語/漢字.bin"),
    *("emoji-😀", "plus+and&amp", "per%cent%20", "hash#and?query", "semi;colon,comma", "a=b@c~d"),
    *("quote'and\"quote", "dots...", "deep/er/and/deeper/x", "k" * 250),
)


class StoreContract:
    """The tests; a subclass provides the fixtures.

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
        assert store.owner("no/such", OURS) == "absent"
        store.delete(["no/such", "nor/this"])
        store.delete([])
        _refused(lambda: b"".join(store.blocks("no/such")))

    def test_an_object_is_read_as_it_was_put(self, store: Store) -> None:
        """Its content, its size and its mark are those that were given."""
        for key, content in (("a/b.txt", b"content"), ("empty", b""), ("a/c.txt", b"\0\xff\n")):
            stored = store.create(key, content, OURS)
            assert (stored.key, stored.size, stored.mark) == (key, len(content), OURS)
            assert store.read(key) == content
            assert b"".join(store.blocks(key)) == content
            found = store.stat(key)
            assert found is not None
            assert found.is_same(stored)
            assert found.size == len(content)
            assert found.mark == (OURS if store.capabilities.marks else None)

    def test_a_prefix_lists_what_is_below_it(self, store: Store) -> None:
        """Keys that only begin alike are not below it."""
        for key in ("a/1", "a/b/2", "ab/3", "4"):
            store.create(key, key.encode(), OURS)
        store.settle(["a/1", "a/b/2", "ab/3", "4"], "0198-run")
        assert _keys(store) == ["4", "a/1", "a/b/2", "ab/3"]
        assert _keys(store, "a/") == ["a/1", "a/b/2"]
        assert _keys(store, "a/b/") == ["a/b/2"]
        assert {each.size for each in store.listing("ab/")} == {4}

    def test_many_objects_are_listed_and_deleted(self, store: Store) -> None:
        """More than one answer of a server has, or one request to delete takes."""
        keys = [f"many/{number:05}" for number in range(self.many)]
        with ThreadPoolExecutor(1 if store.local else 16) as pool:
            for _ in pool.map(store.create, keys, [b"1"] * len(keys), [OURS] * len(keys)):
                pass
        store.settle(keys, "0198-run")
        assert _keys(store, "many/") == keys
        store.create("kept", b"1", OURS)
        store.settle(["kept"], "0198-run")
        store.delete([*keys, "many/never"])
        assert _keys(store) == ["kept"]

    def test_any_name_can_be_a_key(self, store: Store) -> None:
        """Keys are returned unchanged, with any letters."""
        for name in _NAMES:
            store.create(name, name.encode(), OURS)
        store.settle(_NAMES, "0198-run")
        for name in _NAMES:
            assert store.read(name) == name.encode(), name
            assert store.owner(name, OURS, _identity(store.stat(name))) == "ours", name
        assert _keys(store) == sorted(_NAMES)
        store.delete(_NAMES)
        assert _keys(store) == []

    def test_a_large_file_arrives_whole(self, store: Store, tmp_path: Path) -> None:
        """A file sent in several parts has the same digest when it is read."""
        staged = _staged(store, tmp_path, "big", _content(self.big))
        known = store.identity(staged)
        stored = store.create("big.bin", staged, OURS)
        assert stored.size == self.big
        digest = hashlib.sha256()
        for block in store.blocks("big.bin"):
            digest.update(block)
        assert digest.hexdigest() == hashlib.sha256(_content(self.big)).hexdigest()
        assert store.owner("big.bin", OURS, known) == "ours"

    # Create new objects, replace known ones

    def test_nothing_is_replaced_unasked(self, store: Store, tmp_path: Path) -> None:
        """Creating is refused where something is, also to the same run, and changes nothing."""
        store.create("a", b"theirs", THEIRS)
        contents: Sequence[bytes | Path] = (b"ours", _staged(store, tmp_path, "staged", b"ours"))
        for content in contents:
            for mark in (OURS, THEIRS):
                _taken(lambda: store.create("a", content, mark))  # noqa: B023 - called at once
        assert store.read("a") == b"theirs"
        assert store.owner("a", THEIRS) == "ours"

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
        store.settle(["a"], "0199-run")
        second = store.replace("a", _staged(store, tmp_path, "second", b"second"), OURS, found)
        assert store.read("a") == b"second"
        assert not second.is_same(found)
        third = _staged(store, tmp_path, "third", b"third")
        _taken(lambda: store.replace("a", third, THEIRS, found))
        assert store.read("a") == b"second"

    # Undoing

    def test_an_object_belongs_to_its_run(self, store: Store) -> None:
        """Its owner is known after the process has ended, and after temporary data was removed."""
        identity = store.create("x/a", b"ours", OURS).identity
        assert self.again(store).owner("x/a", OURS) == "ours"
        assert self.again(store).owner("x/a", THEIRS) == "foreign"
        store.flush(["x/a"])
        store.settle(["x/a", "x/never"], "0198-run")
        store.settle(["x/a"], "0198-run")
        again = self.again(store)
        assert again.owner("x/a", OURS, identity) == "ours"
        again.delete(["x/a"])
        assert again.owner("x/a", OURS, identity) == "absent"
        again.create("x/a", b"theirs", THEIRS)
        assert again.owner("x/a", OURS, identity) == "foreign"

    def test_only_what_was_found_is_deleted(self, store: Store) -> None:
        """An object that has taken its place stays."""
        found = store.create("a", b"first", OURS)
        store.settle(["a"], "0198-run")
        store.delete(["a"])
        now = store.create("a", b"another", THEIRS)
        store.settle(["a"], "0199-run")
        assert store.delete_found([found]) == {"a"}
        assert store.read("a") == b"another"
        assert store.delete_found([now]) == set()
        assert store.delete_found([now]) == set()
        assert _keys(store) == []

    def test_what_was_set_aside_comes_back(self, store: Store, tmp_path: Path) -> None:
        """The very object comes back, with its mark; once it is back there is nothing aside."""
        found = store.create("a b/c", b"theirs", THEIRS)
        store.settle(["a b/c"], "0199-run")
        store.set_aside("a b/c", "aside/a b/c")
        store.set_aside("a b/c", "aside/a b/c")
        store.replace("a b/c", _staged(store, tmp_path, "new", b"new"), OURS, found)
        assert store.read("aside/a b/c") == b"theirs"
        assert store.put_back("a b/c", "aside/a b/c")
        assert store.read("a b/c") == b"theirs"
        assert store.owner("a b/c", THEIRS, found.identity) == "ours"
        assert not store.put_back("a b/c", "aside/a b/c")
        assert _keys(store) == ["a b/c"]
        _refused(lambda: store.set_aside("no/such", "aside/no/such"))

    def test_folders_that_were_made_go_again(self, store: Store) -> None:
        """Folders that the keys needed are removed once they are empty."""
        folders = store.missing_folders(["f/g/1", "f/h/2"])
        store.create("f/g/1", b"1", OURS)
        store.create("f/h/2", b"2", OURS)
        store.settle(["f/g/1", "f/h/2"], "0198-run")
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


def _identity(stored: Stored | None) -> Identity | None:
    return None if stored is None else stored.identity


def _content(size: int) -> bytes:
    block = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(1024))
    return (block * (size // len(block) + 1))[:size]


def _staged(store: Store, folder: Path, name: str, content: bytes) -> Path:
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

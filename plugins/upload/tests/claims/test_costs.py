"""What claims cost: no second reading of the files, and no more from one night to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail.builtin.records.preview import preview_rollback
from handrail.recovery import prepare
from handrail.sqlite import SqliteJournal
from handrail_storage.backend import looking
from handrail_storage.backend.small import SmallLocalFiles
from handrail_upload import reading
from handrail_upload.manifest import SourceFile
from handrail_upload.storage import LocalStorage
from handrail_upload.storage.objects import ObjectStorage


class Traffic:
    """The requests to a target, and their bytes."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def add(self, kind: str, size: int = 0) -> None:
        self.requests[kind] += 1
        self.bytes[kind] += size

    def taken(self) -> tuple[Counter[str], Counter[str]]:
        """Return what was counted since the last call."""
        counted = self.requests, self.bytes
        self.requests, self.bytes = Counter(), Counter()
        return counted


@pytest.fixture
def traffic(shared: Any, monkeypatch: pytest.MonkeyPatch) -> Traffic:
    """Count the requests of the client; in a folder, what is read and written of claims."""
    counted = Traffic()
    if hasattr(shared.place, "path"):
        _count_files(counted, monkeypatch)
    else:
        _count_requests(counted, monkeypatch)
    return counted


def _count_files(counted: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = SmallLocalFiles._content, SmallLocalFiles._write

    def reading(path: Path) -> Any:
        content = read(path)
        counted.add("read", len(content or b""))
        return content

    def writing(files: Any, path: Path, content: bytes) -> None:
        counted.add("write", len(content))
        write(files, path, content)

    monkeypatch.setattr(SmallLocalFiles, "_content", staticmethod(reading))
    monkeypatch.setattr(SmallLocalFiles, "_write", writing)


def _count_requests(counted: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore

    def counting(kind: str, size_of: Callable[[Any, Any], int]) -> Callable[..., Any]:
        usual = getattr(obstore, kind)

        def call(*given: Any, **options: Any) -> Any:
            answer = usual(*given, **options)
            counted.add(kind, size_of(given, answer))
            return answer

        return call

    sizes: dict[str, Callable[[Any, Any], int]] = {
        "put": lambda given, _answer: len(given[2]) if isinstance(given[2], bytes) else 0,
        "get": lambda _given, answer: answer.meta["size"],
        "delete": lambda _given, _answer: 0,
        "copy": lambda _given, _answer: 0,
        "list": lambda _given, _answer: 0,
    }
    for kind, size_of in sizes.items():
        monkeypatch.setattr(obstore, kind, counting(kind, size_of))


def test_a_nightly_upload_costs_the_same_each_night(
    shared: Any, two: Any, traffic: Traffic
) -> None:
    """Not one request more than the night before, and no more bytes; lists are neither.

    In a folder the small state of each night is read, which has no version to be known by.
    """
    ann, _ = two
    nights = []
    for _ in range(7):
        ann.upload()
        nights.append(traffic.taken())
    *_, before, last = nights
    more = last[0] - before[0]
    assert more == ({"read": 1} if hasattr(shared.place, "path") else {})
    state = max(len(content) for content in contents(shared, "/state"))
    assert last[1].total() - before[1].total() <= (state + 16 if more else 16)
    lists = [key for key in shared.own() if "/lists/" in key]
    assert len(lists) == 1


def test_the_undo_of_a_run_that_sent_nothing_costs_no_more_than_the_run(
    shared: Any, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the undo, nor the preview of what it will do."""
    monkeypatch.setattr(looking, "_FEW", 0)
    ann = shared.person("ann")
    ann.write({f"{number:03}.txt": f"photo {number}" for number in range(50)})
    ann.upload()
    traffic.taken()
    ann.upload()
    forward, _ = traffic.taken()
    with closing(SqliteJournal(ann.journal)) as journal:
        found = prepare(ann.action, journal.read(2), journal, "rollback", packs=())
        told = [line for each in preview_rollback(found) for line in each.lines or ()]
    assert any(line.startswith("50 stay: run 1 on ") for line in told)
    before, _ = traffic.taken()
    assert "50 stay" in ann.rollback(2)
    undo, _ = traffic.taken()
    assert before.total() <= forward.total(), (forward, before)
    assert undo.total() <= forward.total(), (forward, undo)


def contents(shared: Any, end: str) -> list[bytes]:
    return [shared.place.content(key) for key in shared.own() if key.endswith(end)]


def test_who_claims_beside_others_reads_no_lists_of_other_files(
    shared: Any, traffic: Traffic
) -> None:
    """The summary of the keys rules them out."""
    people = [shared.person(name) for name in ("ann", "ben", "cas", "dot", "eve")]
    costs = []
    for number, person in enumerate(people):
        person.write({f"{person.name}/{each}.txt": f"{person.name} {each}" for each in range(5)})
        person.upload()
        costs.append(traffic.taken())
        if number > 1:
            more = costs[-1][0] - costs[-2][0]
            assert more.total() <= 2, more  # The state of one more claim.


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often source files were opened to be read, by name."""
    counted: Counter[str] = Counter()
    usual = reading._open

    def opening(file: SourceFile) -> int:
        counted[file.name] += 1
        return usual(file)

    monkeypatch.setattr(reading, "_open", opening)
    return counted


def test_a_first_run_reads_each_file_once(shared: Any, two: Any, read: Counter[str]) -> None:
    """Its digests are those of the content that it has sent."""
    ann, _ = two
    ann.upload()
    once = {str(path.relative_to(ann.source)): 1 for path in ann.source.rglob("*.txt")}
    assert dict(read) == once
    read.clear()
    ann.upload()
    assert dict(read) == once


def test_a_nightly_upload_reads_nothing_that_is_there(
    shared: Any, two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digests that are recorded with the objects say that they are equal."""
    ann, ben = two
    ann.upload()

    def refuse(*_given: Any) -> Any:
        raise AssertionError("an object was read")

    for kind in (LocalStorage, ObjectStorage):
        for call in ("blocks", "content_sha256"):
            monkeypatch.setattr(kind, call, refuse)
    assert ann.upload()["unchanged_files"] == 12
    assert ben.upload()["unchanged_files"] == 12

"""Bytes a second, bytes in memory, and being told to stop; no real time passes here."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail_upload.pace import Budget, Pace, StoppedError


class Clock(threading.Event):
    """A clock that waiting moves on, and an event that is never set by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.waited: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        self.now += timeout or 0.0
        return self.is_set()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("handrail_upload.pace.time", clock)
    return clock


@given(st.lists(st.integers(min_value=1, max_value=10_000), min_size=2, max_size=50))
def test_rate_is_kept(counts):
    """All but the last bytes take as long as they should, however they are dealt out."""
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr("handrail_upload.pace.time", clock)
        pace = Pace(100, clock)
        for count in counts:
            pace.take(count)
    assert clock.now - 1000.0 == pytest.approx(sum(counts[:-1]) / 100)


def test_first_bytes_need_not_wait(clock):
    """What comes after a pause need not either, and a pause is not made up for."""
    pace = Pace(100, clock)
    pace.take(50)
    assert sum(clock.waited) == 0
    clock.now += 60
    pace.take(50)
    assert sum(clock.waited) == 0
    pace.take(50)
    assert sum(clock.waited) == pytest.approx(0.5)


def test_workers_share_the_rate(monkeypatch):
    """Eight at a time are together no faster than one."""
    waited = []

    class Still(Clock):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return False

    clock = Still()
    monkeypatch.setattr("handrail_upload.pace.time", clock)
    pace = Pace(100, clock)
    workers = [threading.Thread(target=pace.take, args=(100,)) for _ in range(8)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sorted(waited) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_no_rate_is_no_wait(clock):
    """Without a limit nothing waits."""
    pace = Pace(None, clock)
    assert not pace.limited
    for _ in range(3):
        pace.take(1 << 40)
    assert clock.waited == []
    assert Pace(1, clock).limited


@pytest.mark.parametrize("rate", [None, 100])
def test_stop_is_heeded_before(clock, rate):
    """Nothing is taken once it is time to stop."""
    clock.set()
    with pytest.raises(StoppedError):
        Pace(rate, clock).take(1)
    assert clock.waited == []


def test_stop_wakes_who_waits():
    """A wait of an hour ends at once."""
    stop = threading.Event()
    pace, ended = Pace(1, stop), []

    def work() -> None:
        try:
            pace.take(3600)
            pace.take(3600)
        except StoppedError:
            ended.append(True)

    worker = threading.Thread(target=work)
    worker.start()
    stop.set()
    worker.join(60)
    assert ended == [True]


# Memory


class Impatient(threading.Event):
    """Set as soon as somebody waits, and so asks."""

    def is_set(self) -> bool:
        return True


class Held:
    """Counts what all workers hold at a time."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def change(self, by: int) -> None:
        with self._lock:
            self.now += by
            self.most = max(self.most, self.now)


@given(
    st.integers(min_value=1, max_value=20),
    st.lists(st.lists(st.integers(min_value=0, max_value=30), max_size=20), min_size=2, max_size=6),
)
def test_budget_is_never_exceeded(size, wanted):
    """However many workers want however much; and all of them get it in the end."""
    budget, held = Budget(size, threading.Event()), Held()
    served = []

    def work(wants: list[int]) -> None:
        for want in wants:
            with budget.of(want):
                held.change(min(want, size))
                held.change(-min(want, size))
            served.append(want)

    workers = [threading.Thread(target=work, args=(wants,)) for wants in wanted]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert held.most <= size
    assert held.now == 0
    assert len(served) == sum(map(len, wanted))


def test_what_comes_back_goes_to_one_of_those_who_wait():
    """All of them wake up, and all but one find it gone."""
    budget = Budget(10, threading.Event())
    entered, leave = threading.Semaphore(0), threading.Event()

    def work() -> None:
        with budget.of(10):
            entered.release()
            leave.wait(60)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    with budget.of(10):
        for each in workers:
            each.start()
    assert entered.acquire(timeout=60)
    assert not entered.acquire(timeout=0.7)
    leave.set()
    for each in workers:
        each.join(60)
    assert entered.acquire(timeout=60)
    assert entered.acquire(timeout=60)


def test_budget_comes_back_after_an_error():
    """A worker that fails gives back what it had."""
    budget = Budget(10, Impatient())
    for _ in range(3):
        with pytest.raises(KeyError), budget.of(10):
            raise KeyError
    with budget.of(10):
        pass


def test_what_is_larger_than_the_budget_gets_it_alone():
    """It could never be had otherwise."""
    budget = Budget(10, Impatient())
    with budget.of(1000), pytest.raises(StoppedError), budget.of(1):
        pass
    with budget.of(10):
        pass


def test_stop_ends_waiting_for_memory():
    """Nobody waits for what will not come."""
    stop = threading.Event()
    budget, ended = Budget(10, stop), []

    def work() -> None:
        try:
            with budget.of(1):
                pass
        except StoppedError:
            ended.append(True)

    with budget.of(10):
        worker = threading.Thread(target=work)
        worker.start()
        stop.set()
        worker.join(60)
        assert ended == [True]

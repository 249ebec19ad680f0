"""The time left: from items and bytes, and from the reports of a step alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from handrail.builtin.cli.view.amounts import Amounts


def reported(*reports: tuple[float, str, float, float]) -> Amounts:
    amounts = Amounts(0.0)
    for now, unit, current, total in reports:
        amounts.report(unit, current, total, now)
    return amounts


def test_nothing_is_claimed_from_less_than_a_second() -> None:
    """Nor from one report, which says how much is done but not how fast."""
    assert reported((30.0, "files", 90, 100)).left(30.0) is None
    assert reported((0.0, "files", 0, 100), (0.9, "files", 90, 100)).left(0.9) is None
    assert reported((0.0, "files", 0, 100), (1.0, "files", 50, 100)).left(1.0) == 1.0
    assert reported((0.0, "files", 0, 100), (9.0, "files", 0, 100)).left(9.0) is None


def test_what_was_done_before_is_no_speed() -> None:
    """A transfer that is resumed at 90 % takes as long for the rest as it now shows."""
    amounts = reported((0.0, "bytes", 900, 1000), (10.0, "bytes", 910, 1000))
    assert amounts.left(10.0) == pytest.approx(90.0)
    assert amounts.rate(10.0) == pytest.approx(1.0)


def test_small_files_count_beside_bytes() -> None:
    """Large files first: most bytes are there, and most of the time is still needed."""
    amounts = Amounts(0.0)
    for second in range(16):
        amounts.report("files", 20 * second, 1000, float(second))
        amounts.report("bytes", min(second * 1000, 9900), 10_000, float(second))
    assert amounts.leading == "bytes"
    assert amounts.share == 0.3
    assert amounts.left(15.0) == pytest.approx(35.0)


def test_a_large_file_counts_beside_files() -> None:
    amounts = Amounts(0.0)
    for second in range(11):
        amounts.report("files", min(second * 20, 99), 100, float(second))
        amounts.report("bytes", second * 10, 1000, float(second))
    assert amounts.share == 0.1
    assert amounts.left(10.0) == pytest.approx(90.0)


def test_a_unit_of_an_earlier_phase_does_not_hold_it_up() -> None:
    """Of units that are not reported together, only one counts."""
    amounts = reported((0.0, "sheets", 1, 8), (10.0, "bytes", 0, 100), (20.0, "bytes", 50, 100))
    assert amounts.share == 0.5
    assert amounts.left(20.0) == pytest.approx(10.0)


def test_the_next_phase_leads_when_all_bytes_are_there() -> None:
    amounts = reported((0.0, "bytes", 0, 9), (5.0, "bytes", 9, 9), (6.0, "rows", 0, 4))
    assert list(amounts.units) == ["rows", "bytes"]
    assert amounts.share == 0


def test_a_phase_that_begins_anew_is_measured_anew() -> None:
    amounts = reported(
        (0.0, "files", 0, 10), (10.0, "files", 10, 10), (11.0, "files", 0, 4), (13.0, "files", 1, 4)
    )
    assert amounts.left(13.0) == pytest.approx(6.0)


def test_the_time_goes_on_between_reports() -> None:
    amounts = reported((0.0, "files", 0, 100), (4.0, "files", 20, 100))
    assert amounts.left(4.0) == 16.0
    assert amounts.left(9.0) == 11.0


def test_it_follows_a_change_of_speed_without_jumps() -> None:
    """After a minute at half the speed, it tells what is nearer to that than to the average."""
    amounts = Amounts(0.0)
    done, before = 0.0, None
    for second in range(121):
        done += 10 if second < 60 else 5
        amounts.report("bytes", done, 3000, float(second))
        left = amounts.left(float(second))
        if before is not None and left is not None:
            assert abs(left - before) < 15
        before = left
    assert amounts.rate(120.0) is not None
    assert 5 <= amounts.rate(120.0) < 7  # type: ignore[operator]


@pytest.mark.parametrize(
    "silent",
    [
        lambda amounts: amounts.silent(10.0) is None and amounts.silent(12.0) == 12.0,
        lambda amounts: amounts.left(12.0) is None,
        lambda amounts: amounts.rate(12.0) is None,
    ],
)
def test_silence(silent: Callable[[Amounts], bool]) -> None:
    """Reports of the same again are no progress, and from then on nothing is claimed."""
    amounts = reported((0.0, "bytes", 0, 100))
    amounts.report("bytes", 0, 100, 11.0)
    assert silent(amounts)


def test_a_step_that_always_reports_rarely_is_not_silent() -> None:
    amounts = Amounts(0.0)
    for epoch in range(4):
        amounts.report("epochs", epoch, 10, epoch * 60.0)
    assert amounts.silent(180.0 + 100) is None
    assert amounts.silent(180.0 + 121) == 121

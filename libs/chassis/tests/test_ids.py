"""Ids ascend with time, and a moment can be compared with them."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122

import pytest

from chassis import ids
from chassis.ids import first_uuid7_at, made_at, uuid7


def test_an_id_tells_when_it_was_made() -> None:
    before = datetime.now(UTC)

    made = made_at(uuid7())

    assert before - timedelta(milliseconds=1) <= made <= datetime.now(UTC) + timedelta(milliseconds=1)


def test_ids_ascend_strictly_and_are_of_version_seven() -> None:
    made = [uuid7() for _ in range(100_000)]

    assert all(earlier < later for earlier, later in pairwise(made))
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}


def test_ids_ascend_also_while_the_clock_stands_still_or_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    before = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3_600 * 10**9)

    made = [before, *(uuid7() for _ in range(10_000))]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_says_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids._Latest, "tick", 0)
    before = time.time_ns() // 1_000_000

    made = uuid7()

    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_the_bound_of_a_moment_lies_between_what_was_made_before_and_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment = datetime(2026, 7, 1, 12, 30, 15, 123_456, tzinfo=UTC)
    exact = int(moment.timestamp()) * 10**9 + 123_456_000

    def made_at(nanoseconds: int) -> object:
        monkeypatch.setattr(ids._Latest, "tick", 0)
        monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)
        return uuid7()

    bound = first_uuid7_at(moment)
    assert made_at(exact - 1_000) < bound  # type: ignore[operator]
    assert bound <= made_at(exact)  # type: ignore[operator]
    assert (bound.version, bound.variant) == (7, RFC_4122)


def test_bounds_ascend_with_their_moments_to_the_microsecond() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    bounds = [first_uuid7_at(start + timedelta(microseconds=each)) for each in range(2_000)]

    assert all(earlier < later for earlier, later in pairwise(bounds))


def test_the_bound_of_a_moment_before_all_time_is_below_every_id() -> None:
    assert first_uuid7_at(datetime(1901, 1, 1, tzinfo=UTC)) == first_uuid7_at(datetime(1970, 1, 1, tzinfo=UTC))

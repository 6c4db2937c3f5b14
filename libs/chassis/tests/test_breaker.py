"""A peer that does not answer is left alone for a while, and asked again by one caller at a time."""

import asyncio

import pytest

from chassis.breaker import Breaker, Unreached
from chassis.errors import Unavailable


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("product", clock=clock)


def fail(breaker: Breaker) -> None:
    with pytest.raises(Unreached), breaker.watch():
        raise Unreached("no answer")


def succeed(breaker: Breaker) -> None:
    with breaker.watch():
        pass


def is_let_through(breaker: Breaker) -> bool:
    try:
        succeed(breaker)
    except Unavailable:
        return False
    return True


def test_it_opens_after_five_failures_in_a_row(breaker: Breaker) -> None:
    for _ in range(4):
        fail(breaker)
    succeed(breaker)
    for _ in range(5):
        assert not breaker.is_open
        fail(breaker)

    assert breaker.is_open
    with pytest.raises(Unavailable) as refused, breaker.watch():
        pytest.fail("was let through")
    assert refused.value.code == "SERVICE_UNAVAILABLE"
    assert not isinstance(refused.value, Unreached)


def test_refusals_do_not_open_it(breaker: Breaker) -> None:
    for _ in range(10):
        with pytest.raises(ValueError, match="no"), breaker.watch():
            raise ValueError("no")

    assert not breaker.is_open


def test_a_probe_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    for _ in range(5):
        fail(breaker)

    clock.now += 1

    assert is_let_through(breaker)
    assert not breaker.is_open


def test_the_pause_grows_with_each_failed_probe_up_to_five_seconds(breaker: Breaker, clock: Clock) -> None:
    for _ in range(5):
        fail(breaker)

    for shortest, longest in [(0.8, 1), (1.6, 2), (3.2, 4), (4, 5), (4, 5)]:
        opened = clock.now
        clock.now = opened + shortest - 0.01
        assert not is_let_through(breaker)
        clock.now = opened + longest
        fail(breaker)

    clock.now += 5
    assert is_let_through(breaker)
    for _ in range(5):
        fail(breaker)
    clock.now += 1
    assert is_let_through(breaker)


def test_one_probe_goes_at_a_time(breaker: Breaker, clock: Clock) -> None:
    for _ in range(5):
        fail(breaker)
    clock.now += 1

    with breaker.watch():
        assert not is_let_through(breaker)

    assert is_let_through(breaker)


def test_a_probe_that_is_cancelled_makes_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    for _ in range(5):
        fail(breaker)
    clock.now += 1

    with pytest.raises(asyncio.CancelledError), breaker.watch():
        raise asyncio.CancelledError

    assert breaker.is_open
    assert is_let_through(breaker)


def test_a_probe_that_is_refused_shows_that_the_peer_is_back(breaker: Breaker, clock: Clock) -> None:
    for _ in range(5):
        fail(breaker)
    clock.now += 1

    with pytest.raises(ValueError, match="no"), breaker.watch():
        raise ValueError("no")

    assert breaker.is_open
    assert is_let_through(breaker)


def test_those_under_way_when_it_opened_do_not_lengthen_the_pause(breaker: Breaker, clock: Clock) -> None:
    late = [breaker.watch() for _ in range(20)]
    for each in late:
        each.__enter__()

    for each in late:
        each.__exit__(Unreached, Unreached("no answer"), None)

    clock.now += 1
    assert is_let_through(breaker)


def test_it_says_how_long_it_lets_nobody_through(clock: Clock) -> None:
    breaker = Breaker("mail", longest=60, clock=clock)
    assert breaker.wait == 0

    for _ in range(5):
        fail(breaker)
    assert 0.8 <= breaker.wait <= 1
    for _ in range(10):
        clock.now += breaker.wait
        assert breaker.wait == 0
        fail(breaker)

    assert 48 <= breaker.wait <= 60
    clock.now += 60
    with breaker.watch():
        assert breaker.wait > 0
    assert breaker.wait == 0

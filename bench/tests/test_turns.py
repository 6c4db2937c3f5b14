"""While one is measured the others do nothing, and nobody is lost by it."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest

from bench import turns as module
from bench.contestant import Contestant
from bench.turns import Turns, in_turn
from tests.harness.platform import until

_PATIENCE = 30

Two = tuple[Contestant, Contestant]


@pytest.fixture
def two() -> Iterator[Two]:
    with ExitStack() as stack:
        one, other = (Contestant(name, "", {}, "", {"sales": stack.enter_context(_service())}) for name in "ab")
        yield one, other


async def test_while_one_has_its_turn_the_others_are_stopped_with_their_children(
    two: Two,
) -> None:
    one, other = two

    async with Turns(two).of(one):
        await until(lambda: _all_stopped(other), _PATIENCE)
        assert _all_run(one)

    await until(lambda: _all_run(other), _PATIENCE)


async def test_a_turn_that_fails_stops_nobody_for_good(two: Two) -> None:
    one, other = two

    async def fails() -> None:
        async with Turns(two).of(one):
            await until(lambda: _all_stopped(other), _PATIENCE)
            raise RuntimeError("one does not deliver what it has accepted")

    with pytest.raises(RuntimeError, match="does not deliver"):
        await fails()

    await until(lambda: _all_run(other), _PATIENCE)


async def test_in_a_long_turn_the_others_may_tell_the_broker_that_they_are_alive(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BREATH_EVERY", 0.05)
    one, other = two
    seen = set[bool]()

    def was_both() -> bool:
        seen.add(_all_run(other))
        return seen == {True, False}

    async with Turns(two).of(one):
        await until(lambda: _all_stopped(other), _PATIENCE)
        await until(was_both, _PATIENCE, every=0.01)
        await until(lambda: _all_stopped(other), _PATIENCE, every=0.01)


async def test_who_has_ended_is_in_nobodys_way(two: Two) -> None:
    one, other = two
    ended = psutil.Process(other.pids["sales"])
    ended.kill()
    ended.wait()

    async with Turns(two).of(one):
        assert _all_run(one)


def test_each_round_begins_with_another_one() -> None:
    assert [in_turn("abc", number) for number in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


@contextmanager
def _service() -> Iterator[int]:
    """A process with a child."""
    with subprocess.Popen(["sh", "-c", "sleep 120 & echo; wait"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        assert len(tree) == 2
        try:
            yield process.pid
        finally:
            for each in tree:
                with suppress(psutil.NoSuchProcess):
                    each.kill()


def _all_stopped(contestant: Contestant) -> bool:
    return _states(contestant) == {psutil.STATUS_STOPPED}


def _all_run(contestant: Contestant) -> bool:
    return psutil.STATUS_STOPPED not in _states(contestant)


def _states(contestant: Contestant) -> set[str]:
    process = psutil.Process(contestant.pids["sales"])
    return {each.status() for each in [process, *process.children()]}

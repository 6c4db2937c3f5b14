"""A failpoint fails where, how and as often as it is told to, in tests only."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from chassis import failpoints
from chassis.failpoints import FailpointHit, arm, failpoint, hits


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


async def _failures(name: str, times: int) -> list[bool]:
    failed = []
    for _ in range(times):
        try:
            await failpoint(name)
        except FailpointHit:
            failed.append(True)
        else:
            failed.append(False)
    return failed


async def test_unarmed_it_does_nothing_and_counts_nothing() -> None:
    await failpoint("a.b")

    assert hits() == {}


@pytest.mark.parametrize("environment", ["production", "development", "", "TEST"])
def test_it_cannot_be_armed_outside_of_tests(environment: str) -> None:
    with pytest.raises(RuntimeError, match="test environment"):
        arm(environment, "a=raise")


async def test_armed_with_nothing_it_only_counts() -> None:
    arm("test", "")

    await failpoint("a.b")
    await failpoint("a.b")

    assert hits() == {"a.b": 2}


@pytest.mark.parametrize(
    ("spec", "failed"),
    [
        ("a.b=raise", [True, True, True, True]),
        ("a.b=raise*1", [True, False, False, False]),
        ("a.b=raise@3", [False, False, True, True]),
        ("a.b=raise@2*2", [False, True, True, False]),
        ("other=raise; a.b=raise@4 ;", [False, False, False, True]),
        ("other=raise", [False, False, False, False]),
    ],
)
async def test_it_raises_when_it_is_told_to(spec: str, failed: list[bool]) -> None:
    arm("test", spec)

    assert await _failures("a.b", 4) == failed


@pytest.mark.parametrize("spec", ["a", "a=explode", "a=raise@0", "a=raise*x", "a=sleep", "a=sleep:x", "=raise"])
def test_a_spec_that_says_nothing_sensible_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="Not a failpoint"):
        arm("test", spec)


async def test_it_sleeps() -> None:
    arm("test", "a=sleep:0.05")
    before = time.monotonic()

    await failpoint("a")

    assert time.monotonic() - before >= 0.05


async def test_it_cancels_the_task_that_hits_it() -> None:
    arm("test", "a=cancel")
    task = asyncio.create_task(failpoint("a"))

    await asyncio.wait([task])

    assert task.cancelled()
    assert task.cancelling() == 1


def test_it_kills_the_process_without_a_farewell() -> None:
    code = (
        "import asyncio, atexit\n"
        "from chassis.failpoints import arm, failpoint\n"
        "atexit.register(print, 'farewell')\n"
        "arm('test', 'a=kill')\n"
        "asyncio.run(failpoint('a'))\n"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=20)

    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == b""

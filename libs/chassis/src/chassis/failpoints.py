"""Places where a test can make the process fail on purpose; nothing at all in production.

    FAILPOINTS = point [";" point]…      point = NAME "=" action ["@" FIRST] ["*" TIMES]
    action = "kill" | "raise" | "cancel" | "sleep:" SECONDS

`@3` acts from the third hit on, `*1` acts once: `sales.order.after_reserve=raise@3*1` fails the third hit only.
"""

# ruff: noqa: PLW0603 (a switch of the whole process, looked at on every call)

import asyncio
import os
import re
import signal
from collections import Counter
from dataclasses import dataclass

_POINT = re.compile(r"([\w.\-]+)=(kill|raise|cancel|sleep:(\d+(?:\.\d+)?))(?:@([1-9]\d*))?(?:\*([1-9]\d*))?")


class FailpointHit(Exception):
    """Raised on purpose, by a test."""


@dataclass(frozen=True, slots=True)
class _Fault:
    action: str
    seconds: float
    first: int
    times: float

    def strikes(self, hit: int) -> bool:
        return self.first <= hit < self.first + self.times


_armed: dict[str, _Fault] | None = None
_hits: Counter[str] = Counter()


async def failpoint(name: str) -> None:
    """Stands between two effects of a flow."""
    if _armed is not None:
        await _hit(name, _armed.get(name))


def arm(environment: str, spec: str) -> None:
    """Read once, at start. An empty spec arms nothing but counts the hits."""
    global _armed
    if environment != "test":
        raise RuntimeError("Failpoints can be armed in the test environment only.")
    faults = dict(_parse(point.strip()) for point in spec.split(";") if point.strip())
    _hits.clear()
    _armed = faults


def disarm() -> None:
    global _armed
    _hits.clear()
    _armed = None


def hits() -> dict[str, int]:
    return dict(_hits)


def _parse(point: str) -> tuple[str, _Fault]:
    match = _POINT.fullmatch(point)
    if match is None:
        raise ValueError(f"Not a failpoint: {point!r}")
    name, action, seconds, first, times = match.groups()
    return name, _Fault(action.partition(":")[0], float(seconds or 0), int(first or 1), float(times or "inf"))


async def _hit(name: str, fault: _Fault | None) -> None:
    _hits[name] += 1
    if fault is None or not fault.strikes(_hits[name]):
        return
    match fault.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise FailpointHit(name)
        case "cancel":
            # A real cancellation, as a server that shuts down would do it, and not only its exception.
            task = asyncio.current_task()
            assert task is not None
            task.cancel(f"failpoint {name}")
            await asyncio.sleep(0)
        case "sleep":
            await asyncio.sleep(fault.seconds)

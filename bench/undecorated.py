"""`orderflow` for `bench.decorators`: where BENCH_STEPS is `away`, without what names the steps in the code."""

import os
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from chassis import steps

P = ParamSpec("P")
R = TypeVar("R")

STEPS: Final = "BENCH_STEPS"
AWAY: Final = "away"


def _as_it_is(participant: str, action: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return lambda function: function


if __name__ == "__main__":
    if os.environ.get(STEPS) == AWAY:
        # Before the services are imported, which take it from there.
        steps.step = _as_it_is
    from orderflow.main import app

    app()

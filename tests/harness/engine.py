"""The Docker engine: runs something of ours in a container where one answers, and tells why not where none does."""

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import docker
from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config


class Closing(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closing)


@contextmanager
def contained(start: Callable[[], C]) -> Iterator[C]:
    """What `start` gives; raises LookupError where no engine answers, or where it cannot have the image."""
    # The reaper is a second image to fetch, and what we start we stop.
    testcontainers_config.ryuk_disabled = True
    with _leaky():
        running, reason = _try(start)
    if running is None:
        raise LookupError(reason)
    try:
        yield running
    finally:
        with _leaky():
            running.close()


def _try(start: Callable[[], C]) -> tuple[C | None, str]:
    try:
        docker.from_env(timeout=10).close()
        return start(), ""
    except DockerException as reason:
        return None, f"no container: {reason}"


@contextmanager
def _leaky() -> Iterator[None]:
    """Docker's client leaves sockets open when it fails; that is no fault of the test that runs meanwhile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()

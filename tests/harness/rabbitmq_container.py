"""RabbitMQ in a container, where a Docker engine answers."""

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from .ports import free_ports

IMAGE = "rabbitmq:4-management"


class Container:
    """A container on ports that stay the same when it is stopped and started again."""

    def __init__(self) -> None:
        amqp, management = free_ports(2)
        self._container = DockerContainer(IMAGE).with_bind_ports(5672, amqp).with_bind_ports(15672, management)
        host = self._container.get_docker_client().host()
        self.url = f"amqp://guest:guest@{host}:{amqp}"
        self.management = f"http://{host}:{management}"
        self._container.start()

    def start(self) -> None:
        self._container.get_wrapped_container().start()

    def failure(self) -> str | None:
        container = self._container.get_wrapped_container()
        container.reload()
        return None if container.status == "running" else container.logs(tail=30).decode()

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def pause(self) -> None:
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        self._container.get_wrapped_container().unpause()

    def close(self) -> None:
        self._container.stop()


@contextmanager
def container() -> Iterator[Container]:
    """A running container; raises LookupError where no engine answers, or where it cannot have the image."""
    # The reaper is a second image to fetch, and what we start we stop.
    testcontainers_config.ryuk_disabled = True
    with _leaky():
        running, reason = _start()
    if running is None:
        raise LookupError(reason)
    try:
        yield running
    finally:
        with _leaky():
            running.close()


def _start() -> tuple[Container | None, str]:
    try:
        docker.from_env(timeout=10).close()
        return Container(), ""
    except DockerException as reason:
        return None, f"no container: {reason}"


@contextmanager
def _leaky() -> Iterator[None]:
    """Docker's client leaves sockets open when it fails; that is no fault of the test that runs meanwhile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()

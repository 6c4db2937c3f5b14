"""RabbitMQ in a container, where a Docker engine answers."""

from contextlib import AbstractContextManager

from testcontainers.core.container import DockerContainer

from .engine import contained
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


def container() -> AbstractContextManager[Container]:
    return contained(Container)

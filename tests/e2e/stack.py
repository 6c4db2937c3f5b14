"""A whole platform as a journey sees it: where it answers, who may come, and what can befall it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar, NoReturn, Protocol

import aiohttp
import pytest

from chassis.keys import Role, Signer
from tests.harness.platform import until

SERVICES = ("sales", "product", "delivery", "notification")
_ANSWERS_WITHIN = 90.0


class Stack(Protocol):
    """Embedded, processes or compose. What one of them cannot do skips the journey, with the reason."""

    name: ClassVar[str]
    people: Signer
    carrier_secret: str
    mail_secret: str

    @property
    def parts(self) -> Sequence[str]:
        """What can be killed by itself."""

    def urls(self, service: str) -> list[str]:
        """Of all its replicas; what was started again may have moved."""

    def kill(self, part: str) -> None:
        """As a power cut does it."""

    async def revive(self, part: str) -> None: ...

    def broker_away(self) -> AbstractAsyncContextManager[None]: ...

    def database_away(self) -> AbstractAsyncContextManager[None]: ...

    def scaled(self, replicas: int) -> AbstractAsyncContextManager[None]:
        """So many replicas of each service inside."""

    async def tell(self, *events: Mapping[str, Any]) -> None:
        """Gives events to the broker in Delivery's name, past its outbox."""

    def mails(self) -> list[bytes]:
        """All that were sent so far, the oldest first."""

    def logs(self) -> str: ...


def token(stack: Stack, role: Role, subject: str) -> str:
    return stack.people.token(subject, [role], lives=timedelta(hours=1))


async def ready(stack: Stack) -> None:
    """Until every replica of every service says that it can do its work."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=8)) as client:

        async def all_ready() -> bool:
            running = [stack.urls(service) for service in SERVICES]
            return all(running) and all([await _is_ready(client, url) for urls in running for url in urls])

        await until(all_ready, _ANSWERS_WITHIN)


async def _is_ready(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


@asynccontextmanager
async def killed(stack: Stack, part: str) -> AsyncIterator[None]:
    """The part is dead inside, and all is ready again afterwards."""
    stack.kill(part)
    try:
        yield
    finally:
        await stack.revive(part)
        await ready(stack)


def cannot(stack: str, reason: str) -> NoReturn:
    pytest.skip(f"{stack}: {reason}")

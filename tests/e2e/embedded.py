"""The stack that `make run` starts: one process, with all of it inside. Killing any of it kills it all."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from orderflow.folder import Folder
from tests.harness.embedded import Embedded, embedded

from .mails import written
from .stack import cannot


class EmbeddedStack:
    name: ClassVar[str] = "embedded"
    parts = ("platform",)

    def __init__(self, folder: Path, running: AsyncExitStack) -> None:
        self._folder = folder
        self._running = running
        self._platform: Embedded

    async def start(self) -> None:
        self._platform = await self._running.enter_async_context(embedded(self._folder, "--manual"))
        keys = Folder(self._folder / "data").keys()
        self.people, self.carrier_secret, self.mail_secret = keys.people_signer(), keys.carrier_secret, keys.mail_secret

    def urls(self, service: str) -> list[str]:
        return [self._platform.url(service)]

    def kill(self, part: str) -> None:
        self._platform.process.kill()
        self._platform.process.wait()

    async def revive(self, part: str) -> None:
        await self._running.aclose()
        await self.start()

    def broker_away(self) -> AbstractAsyncContextManager[None]:
        cannot(self.name, "the broker is inside the process and goes with it")

    def database_away(self) -> AbstractAsyncContextManager[None]:
        cannot(self.name, "the database belongs to the process and goes with it")

    def scaled(self, replicas: int) -> AbstractAsyncContextManager[None]:
        cannot(self.name, "one process is all there is")

    async def tell(self, *events: Mapping[str, Any]) -> None:
        cannot(self.name, "nobody but its services reaches the broker inside the process")

    def mails(self) -> list[bytes]:
        return written(Path(self._platform.connection["mail_folder"]))

    def logs(self) -> str:
        logs = [self._platform.output, self._folder / "data" / "orderflow.log"]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-8000:]}" for log in logs if log.exists())


@asynccontextmanager
async def embedded_stack(folder: Path) -> AsyncIterator[EmbeddedStack]:
    async with AsyncExitStack() as running:
        stack = EmbeddedStack(folder, running)
        await stack.start()
        yield stack

"""The stack of docker-compose.yml: its images are built and its containers run for these journeys; none of it stays."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from dotenv import dotenv_values

from chassis.keys import Signer
from tests.harness.platform import LINKS, OPERATIONS, ORDERFLOW, until

from .stack import SERVICES, ready

ROOT = Path(__file__).parents[2]
_HEALTHY_WITHIN = 180.0
_LABEL = "com.docker.compose"


class ComposeStack:
    name: ClassVar[str] = "compose"
    parts = SERVICES

    def __init__(self, folder: Path) -> None:
        self.project = f"orderflow-e2e-{os.getpid()}"
        self.environment = folder / "env"
        self.built_in = self.healthy_after = 0.0
        self._compose = [*_compose(), "--project-name", self.project, "--env-file", str(self.environment)]
        self._urls: dict[str, tuple[float, list[str]]] = {}
        made = subprocess.run([ORDERFLOW, "keys"], capture_output=True, text=True, check=True).stdout
        # Port 0 is any that is free: whatever else runs here stays undisturbed.
        ports = "".join(f"{service.upper()}_PORTS=0\n" for service in SERVICES)
        self.environment.write_text(
            f"{made}{ports}TAG={self.project}\nCOMPOSE_PROFILES=demo\nNOTIFICATION_OPERATIONS={OPERATIONS}\nDELIVERY_CARRIERS__LINKS='{LINKS}'\n"
        )
        self.secrets = {name: value or "" for name, value in dotenv_values(self.environment).items()}
        self.people = Signer(self.secrets["SALES_ACCOUNTS__LOGIN_KEY"])
        self.carrier_secret = self.secrets["DELIVERY_CARRIER_SECRET"]
        self.mail_secret = self.secrets["SALES_ACCOUNTS__MAIL_SECRET"]

    def build(self) -> None:
        began = time.monotonic()
        for service in SERVICES:
            # On the host's network: where a registry is reached by the host's settings, only that reaches it.
            options = ["--network", "host", "--build-arg", f"SERVICE={service}", "--tag", self.image(service)]
            docker("build", "--quiet", *options, str(ROOT))
        self.built_in = time.monotonic() - began

    async def up(self, replicas: int = 1) -> None:
        began = time.monotonic()
        scale = [part for service in SERVICES for part in ("--scale", f"{service}={replicas}")]
        self._call("up", "--detach", "--no-build", "--no-recreate", *scale)
        await until(self._is_healthy, _HEALTHY_WITHIN, every=0.5)
        self.healthy_after = self.healthy_after or time.monotonic() - began
        self._urls.clear()
        await ready(self)

    def down(self) -> None:
        self._call("down", "--volumes", "--remove-orphans", "--timeout", "10")
        docker("image", "rm", "--force", *map(self.image, SERVICES))

    def image(self, service: str) -> str:
        return f"orderflow-{service}:{self.project}"

    def containers(self, service: str = "") -> list[str]:
        """In the order of their numbers; of all services without one."""
        only = ["--filter", f"label={_LABEL}.service={service}"] if service else []
        shape = f'{{{{.Label "{_LABEL}.container-number"}}}} {{{{.ID}}}}'
        lines = docker("ps", "--all", "--filter", f"label={_LABEL}.project={self.project}", *only, "--format", shape)
        return [line.split()[1] for line in sorted(lines.splitlines())]

    def urls(self, service: str) -> list[str]:
        until_when, known = self._urls.get(service, (0.0, []))
        if time.monotonic() < until_when:
            return known
        shape = '{{with index .NetworkSettings.Ports "8000/tcp"}}{{(index . 0).HostPort}}{{end}}'
        ports = docker("inspect", "--format", shape, *self.containers(service)).split()
        found = [f"http://127.0.0.1:{port}" for port in ports]
        # A container that was started again has another port.
        self._urls[service] = time.monotonic() + 1, found
        return found

    def kill(self, part: str) -> None:
        docker("kill", self.containers(part)[0])
        self._urls.clear()

    async def revive(self, part: str) -> None:
        docker("start", self.containers(part)[0])
        self._urls.clear()

    def broker_away(self) -> AbstractAsyncContextManager[None]:
        return self._stopped("rabbitmq")

    def database_away(self) -> AbstractAsyncContextManager[None]:
        return self._stopped("postgres")

    @asynccontextmanager
    async def scaled(self, replicas: int) -> AsyncIterator[None]:
        await self.up(replicas)
        try:
            yield
        finally:
            await self.up()

    async def tell(self, *events: Mapping[str, Any], in_the_name_of: str = "delivery") -> None:
        # Only containers reach the broker.
        script = Path(__file__).with_name("events.py").read_text()
        self.run(in_the_name_of, "python", "-c", script, json.dumps(events))

    def mails(self) -> list[bytes]:
        script = Path(__file__).with_name("mails.py").read_text()
        found: list[str] = json.loads(self.run("notification", "python", "-c", script, "mail"))
        return [mail.encode("latin-1") for mail in found]

    def run(self, service: str, *command: str) -> str:
        """In the service's first container; fails when the command does."""
        return docker("exec", self.containers(service)[0], *command)

    @asynccontextmanager
    async def beside(self, part: str) -> AsyncIterator[None]:
        """What runs only when it is asked for runs inside."""
        self._call("up", "--detach", "--no-build", "--no-deps", part)
        try:
            await until(self._is_healthy, _HEALTHY_WITHIN, every=0.5)
            yield
        finally:
            self._call("rm", "--stop", "--force", part)

    def logs(self, lines: str = "60") -> str:
        return "\n".join(_last_words(container, lines) for container in self.containers())

    @asynccontextmanager
    async def _stopped(self, part: str) -> AsyncIterator[None]:
        container = self.containers(part)[0]
        await asyncio.to_thread(docker, "stop", "--time", "10", container)
        try:
            yield
        finally:
            await asyncio.to_thread(docker, "start", container)

    def _is_healthy(self) -> bool:
        shape = "{{.State.Status}} {{.State.ExitCode}} {{with .State.Health}}{{.Status}}{{end}}"
        states = docker("inspect", "--format", shape, *self.containers()).splitlines()
        # What only puts the demo in has ended.
        return all(state.split() in (["running", "0", "healthy"], ["exited", "0"]) for state in states)

    def _call(self, *command: str) -> None:
        done = subprocess.run([*self._compose, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


@asynccontextmanager
async def compose_stack(folder: Path) -> AsyncIterator[ComposeStack]:
    stack = ComposeStack(folder)
    stack.build()
    try:
        try:
            await stack.up()
        except Exception as error:
            raise RuntimeError(f"The stack did not start: {error}\n{stack.logs()}") from error
        yield stack
    finally:
        stack.down()


def docker(*command: str) -> str:
    done = subprocess.run(["docker", *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(command)[:500]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _compose() -> Sequence[str]:
    if shutil.which("docker") is None:
        pytest.fail("The composed journeys need a Docker engine and Docker Compose.", pytrace=False)
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ("docker", "compose") if plugin.returncode == 0 else ("docker-compose",)


def _last_words(container: str, lines: str) -> str:
    state = docker("inspect", "--format", "{{.Name}} {{.State.Status}} {{.State.ExitCode}}", container).strip()
    # Half of the programs write to the one stream, half to the other.
    done = subprocess.run(
        ["docker", "logs", "--tail", lines, container], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return f"--- {state}\n{done.stdout.decode(errors='replace')}"

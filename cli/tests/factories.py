"""What the tests of the command are made of: the command itself, as a person or a script calls it."""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from typer.testing import CliRunner, Result

from orderflow.main import app
from tests.harness.platform import ORDERFLOW


def call(*arguments: str, environment: Mapping[str, str | None] | None = None, answer: str | None = None) -> Result:
    """In this process; standard output and standard error are kept apart."""
    wide = {"TERMINAL_WIDTH": "200", **(environment or {})}
    return CliRunner().invoke(app, list(arguments), input=answer, env=wide, prog_name="orderflow")


async def called(*arguments: str, environment: Mapping[str, str | None] | None = None, **more: str) -> Result:
    """From within a loop: the command has one of its own."""
    return await asyncio.to_thread(call, *arguments, environment=environment, **more)


async def ran(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """As a process of its own."""
    return await _in_a_thread([str(ORDERFLOW), *arguments], folder, environment)


async def pasted(commands: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """As bash runs it, ending at the first command that fails; curl's refusals count as such."""
    return await _in_a_thread(["bash", "-euc", f'curl() {{ command curl --fail-with-body "$@"; }}\n{commands}'], folder)


async def _in_a_thread(
    command: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

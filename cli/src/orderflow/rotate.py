"""`orderflow rotate`: another key for people's tokens, in three steps between which every service is started anew.

Whatever runs with the file of before a step, and whatever runs with that of after it, believe each other's tokens.
"""

import json
import re
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from .failure import Failure, in_short
from .folder import PEOPLE, new_key, public_half, write_private

_LOGIN_KEY: Final = "SALES_ACCOUNTS__LOGIN_KEY"
_NEXT_KEY: Final = "ORDERFLOW_NEXT_LOGIN_KEY"
"""No service is told of it: it waits in the file until all of them trust its public half."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Replace the key that people's tokens are signed with, while everything runs.",
    epilog="The file is one that `orderflow keys` has written.",
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The environment of the platform.")]


@app.command()
def trust(file: File) -> None:
    """First: make a new key, for every service to trust. Nothing is signed with it yet."""
    environment = _Environment(file)
    if environment.has(_NEXT_KEY):
        raise Failure(f"A new key waits in {file} already: go on with `sign`, or give it up with `forget`.")
    key = new_key(f"people-{secrets.token_hex(4)}", PEOPLE)
    environment.set(_NEXT_KEY, key)
    environment.change_trusted(lambda keys: [*keys, public_half(key)])
    environment.write()
    typer.echo(f"Start every service anew. When all of them run with this file: orderflow rotate sign {file}")


@app.command()
def sign(file: File) -> None:
    """Then, when every service trusts it: sign with the new key. Tokens of the old one stay good."""
    environment = _Environment(file)
    if not environment.has(_NEXT_KEY):
        raise Failure(f"There is no new key in {file}: `orderflow rotate trust` makes one.")
    environment.set(_LOGIN_KEY, environment.get(_NEXT_KEY))
    environment.remove(_NEXT_KEY)
    environment.write()
    typer.echo(
        "Start Sales anew. When the last token of the old key has ended (SALES_ACCOUNTS__ACCESS_LIVES, and those of "
        f"`orderflow token`): orderflow rotate forget {file}"
    )


@app.command()
def forget(file: File) -> None:
    """At last: trust no key of people any more but the one that is signed with."""
    environment = _Environment(file)
    current = environment.get(_LOGIN_KEY).get("kid")
    environment.change_trusted(lambda keys: [key for key in keys if "service" in key["roles"] or key["kid"] == current])
    environment.remove(_NEXT_KEY)
    environment.write()
    typer.echo("Start every service anew.")


class _Environment:
    """The lines of the file; all that it is not asked to change stays as it is."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        try:
            self._lines = self._path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{path} cannot be read: {in_short(error)}.") from error
        self._trusted = [name for name in map(_name, self._lines) if name.endswith("_TRUSTED_KEYS")]
        if not self._trusted or not self.has(_LOGIN_KEY):
            raise Failure(f"{path} is not the environment of a platform: `orderflow keys` writes one.")

    def has(self, name: str) -> bool:
        return name in map(_name, self._lines)

    def get(self, name: str) -> dict[str, Any]:
        line = next(line for line in self._lines if _name(line) == name)
        try:
            [value] = shlex.split(line.partition("=")[2])
            read = json.loads(value)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise Failure(f"{name} is not in the form that `orderflow keys` writes.")
        return read

    def set(self, name: str, value: dict[str, Any]) -> None:
        new = f"{name}='{json.dumps(value)}'"
        if not self.has(name):
            self._lines.append(new)
        self._lines = [new if _name(line) == name else line for line in self._lines]

    def remove(self, name: str) -> None:
        self._lines = [line for line in self._lines if _name(line) != name]

    def change_trusted(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        for name in self._trusted:
            self.set(name, {"keys": change(self.get(name)["keys"])})

    def write(self) -> None:
        try:
            mode = self._path.stat().st_mode & 0o777
            write_private(self._path, "".join(f"{line}\n" for line in self._lines))
            # Whoever reads it for the services goes on reading it.
            self._path.chmod(mode)
        except OSError as error:
            raise Failure(f"{self._path} cannot be written: {in_short(error)}.") from error


def _name(line: str) -> str:
    match = re.match(r"(?:export )?([A-Z][A-Z0-9_]*)=", line)
    return match[1] if match else ""

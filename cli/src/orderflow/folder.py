"""The folder of an embedded platform: locked while it runs, with its keys and, once it answers, the way to it."""

import fcntl
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chassis.keys import Signer, new_keypair

from .failure import Failure, in_short

PEOPLE = ("customer", "warehouse", "admin")
OPERATIONS = "operations@example.org"
"""Who is told what needs people, on a platform that is tried out."""

M = TypeVar("M", bound=BaseModel)


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


class Keys(BaseModel):
    """The private keys of a platform, made once."""

    model_config = ConfigDict(frozen=True)

    people: dict[str, Any]
    """What people's tokens are signed with, by Sales at log-in and by `orderflow token`."""
    services: dict[str, dict[str, Any]]
    carrier_secret: str
    mail_secret: str = Field(default_factory=_new_secret)
    """Folders from before there was one get theirs from `Folder.keys`."""

    @property
    def trusted(self) -> str:
        """The public halves, as what every service believes."""
        private = [self.people, *self.services.values()]
        return json.dumps({"keys": [public_half(jwk) for jwk in private]})

    def people_signer(self) -> Signer:
        return Signer(json.dumps(self.people))


class Connection(BaseModel):
    """How a running platform can be reached, and by whom."""

    model_config = ConfigDict(frozen=True)

    urls: dict[str, str]
    tokens: dict[str, str]
    carrier_secret: str
    mail_secret: str
    database_urls: dict[str, str]
    manual: bool = False
    mail_folder: Path | None = None
    """Where mails are written; None: they are sent by SMTP."""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys = path / "keys.json"
        self._connection = path / "connection.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Made where it is missing; nobody else may hold it meanwhile."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Failure(f"{self.path} cannot be used as data folder: {in_short(error)}.") from error
        try:
            self._lock(lock)
            # A run that was killed could not remove it.
            self.forget_connection()
            yield
        finally:
            os.close(lock)

    def _lock(self, file: int) -> None:
        """The system gives it back when the process ends, however that ends."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(
                f"Another `orderflow up` runs on {self.path}. Stop it, or give this one its own folder: --data DIR."
            ) from error

    def keys(self, services: Sequence[str] = ()) -> Keys:
        """Those of these services are made if they are missing, and so is what an older folder does not have."""
        keys = self._read(self._keys, Keys)
        if keys is None and not services:
            raise Failure(f"There are no keys in {self.path}: `orderflow up` makes them when it starts there.")
        if keys is None or (services and not _has_all(keys, services)):
            new = new_keys(services)
            keys = keys.model_copy(update={"services": new.services | keys.services}) if keys else new
            write_private(self._keys, _json(keys))
        return keys

    @property
    def mail(self) -> Path:
        return self.path.absolute() / "mail"

    def connection(self) -> Connection:
        connection = self._read(self._connection, Connection)
        if connection is None:
            raise Failure(
                f"No platform runs on {self.path}. Start one with `orderflow up`, or name its folder by --data."
            )
        return connection

    def announce(self, connection: Connection) -> None:
        write_private(self._connection, _json(connection))

    def forget_connection(self) -> None:
        self._connection.unlink(missing_ok=True)

    def _read(self, path: Path, kind: type[M]) -> M | None:
        try:
            return kind.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(f"{path} cannot be read: {in_short(error)}.") from error
        except ValidationError as error:
            raise Failure(f"{path} is damaged. Move it away and start again: {error.error_count()} errors.") from error


def _has_all(keys: Keys, services: Iterable[str]) -> bool:
    return set(services) <= keys.services.keys() and "mail_secret" in keys.model_fields_set


def new_keys(services: Iterable[str]) -> Keys:
    return Keys(
        people=new_key("people", PEOPLE),
        services={name: new_key(name, ["service"]) for name in services},
        carrier_secret="whsec_" + b64encode(secrets.token_bytes(32)).decode(),
        mail_secret=_new_secret(),
    )


def new_key(kid: str, roles: Sequence[str]) -> dict[str, Any]:
    private: dict[str, Any] = json.loads(new_keypair(kid, roles)[0])
    return private


def public_half(jwk: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name != "d"}


def _json(content: BaseModel) -> str:
    return content.model_dump_json(indent=2) + "\n"


def write_private(path: Path, content: str) -> None:
    """Whole or not at all, and for nobody else's eyes."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)

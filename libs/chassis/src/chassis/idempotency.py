"""The same request with the same `Idempotency-Key` is done once, and answered each time as it was the first time.

What the work is, its command says. Journeys that talk to others between transactions remember their outcome themselves.
"""

import hashlib
import json
import re
from collections.abc import Coroutine
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy import Index, LargeBinary, Row, Text, delete, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from .auth import caller_of
from .db import Database, Transaction
from .edge import route_of
from .errors import Invalid, KeyReused
from .explain import INVALID
from .tables import ChassisTable

__all__ = ["IdempotencyKey", "Once", "forget_keys", "key_of"]

_KEY: Final = r"^[\x21-\x7e]{1,200}$"
_PLAIN: Final = re.compile(_KEY)

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=_KEY,
        description="The same key and body get the first answer again, with `Idempotency-Replayed: true`.",
    ),
]

_ANONYMOUS: Final = "anonymous"
_UNGUESSABLE: Final = 32


def key_of(request: Request) -> str | None:
    """For shortcuts: a key that is not one is Invalid, as where it is declared."""
    key = request.headers.get("idempotency-key")
    if key is not None and _PLAIN.fullmatch(key) is None:
        raise Invalid(INVALID)
    return key


class IdempotencyKeyRow(ChassisTable):
    __tablename__ = "idempotency_keys"

    principal: Mapped[str] = mapped_column(Text, primary_key=True)
    route: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True), server_default=text("now()"))

    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)


# Whoever comes second waits here until the first has committed, and then finds its answer. An update that changes
# nothing, because DO NOTHING would not show the row, and looking for it afterwards could miss it.
_CLAIM = text(
    """
    INSERT INTO idempotency_keys AS mine (principal, route, key, request_hash) VALUES (:principal, :route, :key, :hash)
    ON CONFLICT (principal, route, key) DO UPDATE SET created_at = mine.created_at
    RETURNING request_hash, status, body
    """
)
_FIND = text(
    """
    SELECT request_hash, status, body FROM idempotency_keys
    WHERE principal = :principal AND route = :route AND key = :key
    """
)
_ANSWERED = text(
    """
    UPDATE idempotency_keys SET status = :status, body = :body
    WHERE principal = :principal AND route = :route AND key = :key
    """
)


class _Once:
    def __init__(self, request: Request, session: AsyncSession, key: str | None) -> None:
        self._request = request
        self._session = session
        self._key = key

    async def __call__(
        self,
        command: Coroutine[Any, Any, BaseModel],
        *,
        status: int = 201,
        principal: str | None = None,
        exclude_none: bool = False,
    ) -> Response:
        """`principal` stands for callers without a token: what only they have, such as their cart's token."""
        try:
            if self._key is None:
                return _answer(status, (await command).model_dump_json(exclude_none=exclude_none))
            return await self._once(command, status, self._claimed_by(self._key, principal), exclude_none)
        finally:
            # Not run when the answer is there already, nor when the claim was refused.
            command.close()

    async def answered(self, *, principal: str | None = None) -> Response | None:
        """The first answer, if there is one: for a journey that asks others first, which it must not do in between."""
        if self._key is None:
            return None
        claim = self._claimed_by(self._key, principal)
        database: Database = self._request.app.state.database
        async with database.begin() as session:
            found = (await session.execute(_FIND, claim)).one_or_none()
        return None if found is None else _replay(found, await _fingerprint(self._request))

    async def _once(
        self, command: Coroutine[Any, Any, BaseModel], status: int, claim: dict[str, str], exclude_none: bool
    ) -> Response:
        asked = await _fingerprint(self._request)
        found = (await self._session.execute(_CLAIM, {**claim, "hash": asked})).one()
        if answered := _replay(found, asked):
            return answered
        body = (await command).model_dump_json(exclude_none=exclude_none)
        await self._session.execute(_ANSWERED, {**claim, "status": status, "body": body})
        return _answer(status, body)

    def _claimed_by(self, key: str, principal: str | None) -> dict[str, str]:
        if principal is not None:
            who = _unreadable(principal)
        elif "authorization" in self._request.headers:
            who = caller_of(self._request).subject
        else:
            who = _ANONYMOUS
            # All of them share one namespace: whoever guessed another's key would be given that one's answer.
            if len(key) < _UNGUESSABLE:
                message = f"Without an access token this must have at least {_UNGUESSABLE} characters."
                raise Invalid(message, [{"field": "Idempotency-Key", "message": message}])
        return {"principal": who, "route": f"{self._request.method} {route_of(self._request.scope)}", "key": key}


async def _once(request: Request, session: Transaction, idempotency_key: IdempotencyKey = None) -> _Once:
    return _Once(request, session, idempotency_key)


Once = Annotated[_Once, Depends(_once)]
"""`return await once(commands.create_thing(session, body, by=caller))`: the route's own transaction holds all of it."""


async def forget_keys(session: AsyncSession, *principals: str) -> None:
    """Stored answers hold what they were about: whoever is erased takes theirs along."""
    names = [*principals, *map(_unreadable, principals)]
    await session.execute(delete(IdempotencyKeyRow).where(IdempotencyKeyRow.principal.in_(names)))


async def _fingerprint(request: Request) -> bytes:
    """However the request was written. Secrets in it are asterisks in the dump, so that no hash of them is kept."""
    route: APIRoute = request.scope["route"]
    field = route.body_field
    if field is None:
        content: Any = (await request.body()).hex()
    else:
        content, _ = field.validate(await request.json())
        # Without defaults: a field that is new in our next version changes nothing in what was asked before.
        content = field.serialize(content, exclude_defaults=True)
    about = [request.path_params, sorted(request.query_params.multi_items()), content]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).digest()


def _answer(status: int, body: str, *, replayed: bool = False) -> Response:
    return Response(body, status, {"Idempotency-Replayed": "true"} if replayed else None, "application/json")


def _replay(found: Row[Any], asked: bytes) -> Response | None:
    if bytes(found.request_hash) != asked:
        raise KeyReused("This Idempotency-Key was used for another request.")
    return None if found.status is None else _answer(found.status, found.body, replayed=True)


def _unreadable(principal: str) -> str:
    """It may be a secret, or personal."""
    return f"{_ANONYMOUS}:{hashlib.sha256(principal.encode()).hexdigest()}"

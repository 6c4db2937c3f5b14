"""Who may call what: roles as dependencies, and a service's own credential for its calls. Tokens are `keys`'."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from .errors import Forbidden, Unauthenticated
from .keys import Caller, KeyRing, Role, Signer, new_keypair

__all__ = [
    "Admin",
    "Auth",
    "Caller",
    "Customer",
    "CustomerOrAdmin",
    "KeyRing",
    "Role",
    "ServiceCredential",
    "ServicePeer",
    "Signer",
    "Warehouse",
    "caller_of",
    "is_service",
    "needs",
    "new_keypair",
]

_LIVES: Final = timedelta(minutes=10)
_RENEWED_BEFORE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Auth:
    """What an application checks tokens with: found in `app.state.auth`."""

    keyring: KeyRing
    audience: str


class needs(SecurityBase):  # noqa: N801 (reads as a verb where it is used)
    """A dependency: the caller, who has one of these roles."""

    def __init__(self, *roles: Role) -> None:
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = "accessToken"
        self._roles = frozenset(roles)

    async def __call__(self, request: Request) -> Caller:
        return self.check(request)

    def check(self, request: Request) -> Caller:
        caller = caller_of(request)
        if self._roles.isdisjoint(caller.roles):
            raise Forbidden
        return caller


def caller_of(request: Request) -> Caller:
    """Whoever it is; that they may ask is for `needs` to say."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    auth: Auth = request.app.state.auth
    return auth.keyring.verify(token, auth.audience)


def is_service(request: Request) -> bool:
    """Whether one of ours calls: for what is heard before a route asks who it is."""
    try:
        return "service" in caller_of(request).roles
    except Unauthenticated:
        return False


Customer = Annotated[Caller, Depends(needs("customer"))]
Warehouse = Annotated[Caller, Depends(needs("warehouse", "admin"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
CustomerOrAdmin = Annotated[Caller, Depends(needs("customer", "admin"))]
ServicePeer = Annotated[Caller, Depends(needs("service"))]


class ServiceCredential:
    """Lets a service call others in its own name: a short-lived token for each, renewed in time."""

    def __init__(self, signer: Signer, service: str) -> None:
        if signer.issuer != service:
            raise ValueError(f"This key signs for {signer.issuer!r}, not for {service!r}.")
        self._signer = signer
        self._service = service
        self._headers: dict[str, tuple[str, float]] = {}

    def header(self, audience: str) -> str:
        """The value of the Authorization header for calls to this service."""
        header, until = self._headers.get(audience, ("", 0.0))
        if time.time() >= until:
            header = "Bearer " + self._signer.token(self._service, ["service"], audience, _LIVES)
            self._headers[audience] = header, time.time() + _LIVES.total_seconds() - _RENEWED_BEFORE
        return header

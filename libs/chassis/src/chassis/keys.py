"""Signing and checking access tokens (JWT, Ed25519, RFC 8725). Who may do what with one is `auth`'s."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, cast, get_args
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from .errors import Unauthenticated

Role = Literal["customer", "warehouse", "admin", "service"]

PEOPLE: Final = "orderflow"
"""Who signs people's tokens, and for whom: every API takes them."""

ROLES: Final = frozenset(get_args(Role))
LEEWAY: Final = 30
_LONGEST_TOKEN: Final = 4096
_MOST_CACHED: Final = 10_000
_HEADER: Final = {"alg", "kid", "typ"}
_REQUIRED: Final = ["exp", "nbf", "iat", "iss", "aud", "sub", "jti"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as their token says."""

    subject: str
    roles: frozenset[str]

    @property
    def is_customer(self) -> bool:
        return "customer" in self.roles

    @property
    def is_warehouse(self) -> bool:
        return "warehouse" in self.roles

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    @property
    def is_service(self) -> bool:
        return "service" in self.roles


@dataclass(frozen=True, slots=True)
class _TrustedKey:
    public: Ed25519PublicKey
    issuer: str
    roles: frozenset[str]


def new_keypair(kid: str, roles: Sequence[str], *, issuer: str | None = None) -> tuple[str, dict[str, Any]]:
    """A private key for a `Signer`, and its public half for every `KeyRing` that shall trust it.

    Who issues with it: people's log-in, or, for a key that may only say "service", the service it is named after.
    """
    _check_roles(roles)
    key = Ed25519PrivateKey.generate()
    named = issuer or (kid if set(roles) == {"service"} else PEOPLE)
    about = {"kid": kid, "alg": "EdDSA", "use": "sig", "iss": named, "roles": list(roles)}
    public = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), **about}
    return json.dumps({**OKPAlgorithm.to_jwk(key, as_dict=True), **about}), public


class Signer:
    """Signs tokens with one private key."""

    def __init__(self, private_jwk: str) -> None:
        jwk = json.loads(private_jwk)
        self._key = cast(Ed25519PrivateKey, OKPAlgorithm.from_jwk(jwk))
        self._header = {"kid": jwk["kid"], "typ": "at+jwt"}
        self.issuer: str = jwk["iss"]

    def token(
        self,
        subject: str,
        roles: Sequence[str],
        audience: str = PEOPLE,
        lives: timedelta = timedelta(minutes=10),
    ) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + int(lives.total_seconds()),
            "jti": uuid4().hex,
            "roles": list(roles),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=self._header)


class KeyRing:
    """The public keys that are trusted, and what each of them may say."""

    def __init__(self, jwks: str | Mapping[str, Any]) -> None:
        read = json.loads(jwks) if isinstance(jwks, str) else jwks
        self._keys = {jwk["kid"]: _trusted(jwk) for jwk in read["keys"]}
        if len(self._keys) != len(read["keys"]):
            raise ValueError("Two keys have the same kid.")
        self._known: dict[tuple[str, str], tuple[Caller, float]] = {}

    def verify(self, token: str, audience: str) -> Caller:
        """`audience` is the name of the service that was called."""
        known = self._known.pop((token, audience), None)
        if known is not None and time.time() < known[1]:
            self._known[token, audience] = known  # now the youngest
            return known[0]
        known = self._check(token, audience)
        while len(self._known) >= _MOST_CACHED:
            del self._known[next(iter(self._known))]
        self._known[token, audience] = known
        return known[0]

    def _check(self, token: str, audience: str) -> tuple[Caller, float]:
        if len(token) > _LONGEST_TOKEN:
            raise Unauthenticated
        try:
            key = self._key(token)
            claims = jwt.decode(
                token,
                key.public,
                algorithms=["EdDSA"],
                issuer=key.issuer,
                audience=audience if "service" in key.roles else PEOPLE,
                leeway=LEEWAY,
                options={"require": _REQUIRED, "strict_aud": True},
            )
            return _caller(claims, key), claims["exp"] + LEEWAY
        # Whatever a hostile token makes the parser do (it overflows and recurses), it is not a valid token.
        except Exception as error:
            raise Unauthenticated from error

    def _key(self, token: str) -> _TrustedKey:
        header = jwt.get_unverified_header(token)
        # An exact header leaves no room for jku, x5u, jwk or crit, nor for another kind of token.
        if set(header) != _HEADER or header["typ"] != "at+jwt":
            raise Unauthenticated
        return self._keys[header["kid"]]


def _caller(claims: Mapping[str, Any], key: _TrustedKey) -> Caller:
    roles = frozenset(claims["roles"])
    if not roles or not roles <= key.roles or not claims["sub"]:
        raise Unauthenticated
    return Caller(claims["sub"], roles)


def _trusted(jwk: Mapping[str, Any]) -> _TrustedKey:
    _check_roles(jwk["roles"])
    public = OKPAlgorithm.from_jwk(dict(jwk))
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError(f"{jwk['kid']!r} is not a public Ed25519 key.")  # noqa: TRY004
    return _TrustedKey(public, jwk["iss"], frozenset(jwk["roles"]))


def _check_roles(roles: Sequence[str]) -> None:
    # One key for both would let a service sign in as a person.
    if not roles or not set(roles) <= ROLES or ("service" in roles and set(roles) != {"service"}):
        raise ValueError(f"A key cannot grant these roles: {sorted(roles)}")

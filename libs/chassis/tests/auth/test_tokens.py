"""Only a token that one of our keys signed, for us, for now, and for no more than that key may say, says anything."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from chassis import keys
from chassis.auth import Caller, KeyRing, ServiceCredential, Signer, new_keypair
from chassis.errors import Unauthenticated
from libs.chassis.tests.auth.factories import PEOPLE_PRIVATE, PEOPLE_PUBLIC, SALES_PRIVATE, STRANGER_PRIVATE


def _claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": "orderflow",
        "sub": "ann",
        "aud": "orderflow",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "jti": "1",
        "roles": ["customer"],
    }
    return {name: value for name, value in {**claims, **changed}.items() if value is not None}


def _signed(claims: dict[str, Any], private: str = PEOPLE_PRIVATE, **header: Any) -> str:
    key = OKPAlgorithm.from_jwk(private)
    assert isinstance(key, Ed25519PrivateKey)
    headers = {"kid": json.loads(private)["kid"], "typ": "at+jwt", **header}
    return jwt.encode(claims, key, algorithm="EdDSA", headers=headers)


def _packed(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _public_pem() -> bytes:
    key = OKPAlgorithm.from_jwk(PEOPLE_PUBLIC)
    assert isinstance(key, Ed25519PublicKey)
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _hmac_with_the_public_key() -> str:
    head = _packed({"alg": "HS256", "kid": "people-1", "typ": "at+jwt"}) + "." + _packed(_claims())
    return head + "." + _packed(hmac.digest(_public_pem(), head.encode(), hashlib.sha256))


def _payload_swapped() -> str:
    head, _, signature = _signed(_claims()).split(".")
    return f"{head}.{_packed(_claims(sub='root', roles=['admin']))}.{signature}"


def _raw(header: Any, payload: Any) -> str:
    """Signed by the right key, whatever the parts are."""
    key = OKPAlgorithm.from_jwk(PEOPLE_PRIVATE)
    assert isinstance(key, Ed25519PrivateKey)
    head = f"{_packed(header)}.{_packed(payload)}"
    return f"{head}.{_packed(key.sign(head.encode()))}"


def _without(claim: str) -> str:
    return _signed(_claims(**{claim: None}))


_HEADER = {"alg": "EdDSA", "kid": "people-1", "typ": "at+jwt"}

ATTACKS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "garbage": lambda: "a.b.c",
    "no dots": lambda: "a" * 300,
    "not ascii": lambda: "é.é.é",
    "alg none": lambda: f"{_packed({'alg': 'none', 'kid': 'people-1', 'typ': 'at+jwt'})}.{_packed(_claims())}.",
    "alg None": lambda: f"{_packed({'alg': 'None', 'kid': 'people-1', 'typ': 'at+jwt'})}.{_packed(_claims())}.",
    "HS256 with the public key": _hmac_with_the_public_key,
    "another's key under our kid": lambda: _signed(_claims(), STRANGER_PRIVATE),
    "another payload": _payload_swapped,
    "no signature": lambda: _signed(_claims()).rpartition(".")[0] + ".",
    "unknown kid": lambda: _signed(_claims(), kid="people-2"),
    "kid that is a path": lambda: _signed(_claims(), kid="../../dev/null"),
    "kid that is a list": lambda: _raw({**_HEADER, "kid": ["people-1"]}, _claims()),
    "kid of another key": lambda: _signed(_claims(), kid="sales"),
    "no kid": lambda: _raw({"alg": "EdDSA", "typ": "at+jwt"}, _claims()),
    "typ JWT": lambda: _signed(_claims(), typ="JWT"),
    "no typ": lambda: _raw({"alg": "EdDSA", "kid": "people-1"}, _claims()),
    "jku": lambda: _signed(_claims(), jku="https://evil.example/jwks.json"),
    "x5u": lambda: _signed(_claims(), x5u="https://evil.example/cert"),
    "jwk": lambda: _signed(_claims(), jwk=PEOPLE_PUBLIC),
    "crit": lambda: _signed(_claims(), crit=["exp"]),
    "header that is a list": lambda: _raw([1], _claims()),
    "header that is deep": lambda: _raw(b"[" * 1200, _claims()),
    "payload that is a list": lambda: _raw(_HEADER, [1]),
    "payload that is deep": lambda: _raw(_HEADER, b"[" * 1200),
    "other audience": lambda: _signed(_claims(aud="product")),
    "audiences": lambda: _signed(_claims(aud=["orderflow", "product"])),
    "other issuer": lambda: _signed(_claims(iss="sales")),
    "expired": lambda: _signed(_claims(exp=int(time.time()) - 31)),
    "not yet valid": lambda: _signed(_claims(nbf=int(time.time()) + 60)),
    "issued in the future": lambda: _signed(_claims(iat=int(time.time()) + 60)),
    "exp that is infinite": lambda: _raw(
        _HEADER, json.dumps(_claims()).replace('"exp": ', '"exp": 1e400, "e": ').encode()
    ),
    "exp that is a text": lambda: _raw(_HEADER, _claims(exp="9999999999")),
    "exp that is true": lambda: _raw(_HEADER, _claims(exp=True)),
    "sub that is empty": lambda: _signed(_claims(sub="")),
    "sub that is a number": lambda: _raw(_HEADER, _claims(sub=7)),
    "no roles": lambda: _signed(_claims(roles=[])),
    "roles that are a text": lambda: _signed(_claims(roles="admin")),
    "roles that are lists": lambda: _signed(_claims(roles=[["admin"]])),
    "a role that nobody has": lambda: _signed(_claims(roles=["customer", "root"])),
    "a person as a service": lambda: _signed(_claims(roles=["service"])),
    "a service as an admin": lambda: _signed(_claims(iss="sales", aud="product", roles=["admin"]), SALES_PRIVATE),
    "a service for everyone": lambda: _signed(_claims(iss="sales", roles=["service"]), SALES_PRIVATE),
    "a megabyte": lambda: _signed(_claims(sub="a" * 1_000_000)),
    **{f"no {claim}": partial(_without, claim) for claim in ("iss", "sub", "aud", "iat", "nbf", "exp", "jti", "roles")},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_token_that_is_not_right_in_every_way_says_nothing(keyring: KeyRing, attack: str) -> None:
    token = ATTACKS[attack]()

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            keyring.verify(token, "product")


def test_a_right_token_says_who_is_asking(keyring: KeyRing) -> None:
    token = Signer(PEOPLE_PRIVATE).token("ann", ["customer", "admin"])

    assert keyring.verify(token, "product") == Caller("ann", frozenset({"customer", "admin"}))
    assert keyring.verify(token, "sales").is_admin


def test_clocks_may_differ_a_little(keyring: KeyRing) -> None:
    now = int(time.time())

    assert keyring.verify(_signed(_claims(nbf=now + 20, iat=now + 20)), "sales").subject == "ann"
    assert keyring.verify(_signed(_claims(exp=now - 20)), "sales").subject == "ann"


def test_a_service_is_known_only_where_it_meant_to_call(keyring: KeyRing) -> None:
    header = ServiceCredential(Signer(SALES_PRIVATE), "sales").header("product")
    token = header.removeprefix("Bearer ")

    assert keyring.verify(token, "product") == Caller("sales", frozenset({"service"}))
    with pytest.raises(Unauthenticated):
        keyring.verify(token, "delivery")


def test_a_token_that_was_checked_before_is_still_refused_once_it_expires(
    keyring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "LEEWAY", 0)
    expires = int(time.time()) + 2
    token = _signed(_claims(exp=expires))
    assert keyring.verify(token, "sales").subject == "ann"

    time.sleep(expires - time.time() + 0.01)

    with pytest.raises(Unauthenticated):
        keyring.verify(token, "sales")


def test_only_so_many_tokens_are_remembered_and_the_ones_in_use_longest(
    keyring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_MOST_CACHED", 3)
    tokens = [Signer(PEOPLE_PRIVATE).token(str(number), ["customer"]) for number in range(5)]

    for token in tokens:
        keyring.verify(token, "sales")
        keyring.verify(tokens[0], "sales")

    assert {token for token, _ in keyring._known} == {tokens[0], tokens[3], tokens[4]}


@pytest.mark.parametrize("roles", [[], ["root"], ["service", "admin"]])
def test_no_key_is_made_or_trusted_that_could_say_too_much(roles: list[str]) -> None:
    with pytest.raises(ValueError, match="cannot grant"):
        new_keypair("odd", roles)
    with pytest.raises(ValueError, match="cannot grant"):
        KeyRing({"keys": [{**PEOPLE_PUBLIC, "roles": roles}]})


def test_a_private_key_is_not_taken_for_a_public_one() -> None:
    with pytest.raises(ValueError, match="not a public"):
        KeyRing({"keys": [json.loads(PEOPLE_PRIVATE)]})


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same kid"):
        KeyRing({"keys": [PEOPLE_PUBLIC, PEOPLE_PUBLIC]})


def test_a_credential_speaks_for_its_own_service_only() -> None:
    with pytest.raises(ValueError, match="signs for 'sales'"):
        ServiceCredential(Signer(SALES_PRIVATE), "product")


def test_a_credential_is_used_again_until_shortly_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    credential = ServiceCredential(Signer(SALES_PRIVATE), "sales")
    first, now = credential.header("product"), time.time()

    assert credential.header("product") == first
    assert credential.header("delivery") != first
    monkeypatch.setattr(time, "time", lambda: now + 479)
    assert credential.header("product") == first
    monkeypatch.setattr(time, "time", lambda: now + 481)
    assert credential.header("product") != first

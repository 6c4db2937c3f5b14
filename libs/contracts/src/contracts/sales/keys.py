"""The keys with which anybody can check people's tokens, in the form of RFC 7517."""

from typing import Literal

from contracts.text import View


class PublicKey(View):
    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    alg: Literal["EdDSA"]
    use: Literal["sig"]


class PublicKeys(View):
    keys: list[PublicKey]

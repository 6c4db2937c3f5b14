"""The keys that are trusted."""

import json

import pytest

from chassis.auth import KeyRing
from libs.chassis.tests.auth.factories import JWKS


@pytest.fixture
def keyring() -> KeyRing:
    return KeyRing(json.dumps(JWKS))

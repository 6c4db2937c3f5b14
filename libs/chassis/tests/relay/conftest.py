"""The outside world, as the relay meets it."""

import pytest

from libs.chassis.tests.relay.factories import FakeBroker


@pytest.fixture
def world() -> FakeBroker:
    return FakeBroker()

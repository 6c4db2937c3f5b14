"""Somebody who asks for things to be made."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.db import Database
from libs.chassis.tests.idempotency.making import router
from libs.chassis.tests.web import application, calling


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(application(database, router)) as client:
        yield client

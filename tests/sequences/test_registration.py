"""Somebody opens an account."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from notification.settings import RetrySettings
from services.notification.tests.mail_server import MailServer, Trick

from .cast import Answer, Cast, by_smtp

PASSWORD = "seven hills and a long river"
VERIFY = "Please confirm your e-mail address"


async def has_come(server: MailServer) -> bool:
    return bool(server.taken)


async def registers(cast: Cast, **changes: str) -> Answer:
    form = {"email": "grace@example.org", "password": PASSWORD, "name": "Grace", **changes}
    return await cast.visitor.post("sales", "/customers", form)


@pytest.mark.sequence("SEQ-REG-001")
async def test_whoever_registers_has_an_account_and_a_mail(cast: Cast) -> None:
    account = await registers(cast)

    assert (account.status, account["status"], account["email_verified"]) == (201, "REGISTERED", False)
    await cast.is_told(VERIFY)


@pytest.mark.sequence("SEQ-REG-001", exception="EMAIL_ALREADY_REGISTERED")
async def test_an_e_mail_has_one_account(cast: Cast) -> None:
    await registers(cast)
    await cast.is_told(VERIFY)

    again = await registers(cast, email="GRACE@example.org")

    assert (again.status, again.code) == (409, "EMAIL_ALREADY_REGISTERED")


@pytest.mark.sequence("SEQ-REG-001", exception="WEAK_PASSWORD")
async def test_a_password_that_is_easy_to_guess_is_refused(cast: Cast) -> None:
    refused = await registers(cast, password="password1234")

    assert (refused.status, refused.code) == (400, "WEAK_PASSWORD")
    assert refused["error"]["details"]


class TestWhileTheMailServerIsAway:
    @pytest.fixture
    def settings(self, mail_server: MailServer) -> Mapping[str, Mapping[str, Any]]:
        # A server that is away for longer than all tries together costs the mail, however few there were.
        patient = RetrySettings(quick=(timedelta(milliseconds=50),), later=(timedelta(hours=1),))
        return {"notification": {**by_smtp(mail_server), "retry": patient}}

    @pytest.mark.sequence("SEQ-REG-001", exception="EMAIL_SERVICE_UNAVAILABLE")
    async def test_the_account_is_there_and_the_mail_follows(self, cast: Cast, mail_server: MailServer) -> None:
        mail_server.says("CONNECT", Trick.HANGS_UP, times=1)

        account = await registers(cast)

        assert (account.status, account["status"]) == (201, "REGISTERED")
        await cast.eventually(lambda: has_come(mail_server))
        assert mail_server.connections == 2
        assert mail_server.taken[0].recipients == ["grace@example.org"]

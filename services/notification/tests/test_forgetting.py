"""Mails that are over are forgotten in time; what waits for people never is."""

from datetime import timedelta

import pytest

from chassis.retention import KEEP_HANDLED
from notification.settings import NotificationSettings

from .factories import PostOffice, a_letter, settings


async def aged(office: PostOffice, state: str, days: int) -> None:
    ended = "NULL" if state == "QUEUED" else f"now() - interval '{days} days'"
    await office.write(a_letter())
    await office.query(
        f"UPDATE mails SET state = '{state}', last_error = 'known', ended_at = {ended},"
        f" written_at = now() - interval '{days} days' WHERE written_at > now() - interval '1 minute'"
    )


async def test_sent_and_unwanted_mails_are_forgotten_after_ninety_days(office: PostOffice) -> None:
    for state in ("SENT", "UNWANTED", "FAILED", "QUEUED"):
        await aged(office, state, days=91)
        await aged(office, state, days=89)

    assert await office.run("forget_old_mails") == 2

    assert sorted(await office.states()) == ["FAILED", "FAILED", "QUEUED", "QUEUED", "SENT", "UNWANTED"]


def test_a_mail_is_known_for_longer_than_its_event_can_be_told_again(database_url: str) -> None:
    assert NotificationSettings.model_fields["keep"].default > KEEP_HANDLED
    with pytest.raises(ValueError, match="greater than or equal to 30 days"):
        settings(database_url, folder=".", keep=timedelta(days=29))

"""The life of a mail, every step that there is and every one that there is not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contracts.errors import CODES
from contracts.notification.mails import MailState
from notification.mails.model import FAILED, NEXT, QUEUED, SENT, UNWANTED, InvalidStatusTransition, Mail

NOW = datetime.now(UTC)

STEPS: dict[MailState, Callable[[Mail], None]] = {
    SENT: lambda mail: mail.sent(NOW),
    FAILED: lambda mail: mail.fail("why", NOW),
    UNWANTED: lambda mail: mail.turn_down("why", NOW),
    QUEUED: lambda mail: mail.queue_again(NOW),
}


def a_mail(state: MailState = QUEUED) -> Mail:
    return Mail(uuid4(), "event", "order_confirmed", "ada", {}, NOW, NOW, None, state, 3, NOW, NOW)


@pytest.mark.parametrize("wanted", MailState)
@pytest.mark.parametrize("state", MailState)
def test_a_mail_takes_the_steps_of_the_table_and_no_others(state: MailState, wanted: MailState) -> None:
    mail = a_mail(state)

    if wanted in NEXT[state]:
        STEPS[wanted](mail)
        assert mail.state == wanted
    else:
        with pytest.raises(InvalidStatusTransition):
            STEPS[wanted](mail)
        assert mail.state == state


def test_a_mail_that_is_over_says_when_and_one_that_waits_again_does_not() -> None:
    mail = a_mail()

    mail.fail("why", NOW)
    assert (mail.ended_at, mail.last_error, mail.tries) == (NOW, "why", 4)

    mail.queue_again(NOW + timedelta(hours=1))
    assert (mail.ended_at, mail.tries) == (None, 0)
    assert mail.next_try_at == mail.queued_at == NOW + timedelta(hours=1)


def test_a_try_that_failed_counts_and_one_that_was_none_does_not() -> None:
    mail = a_mail()

    mail.put_back(NOW + timedelta(seconds=5), "The server is away.")
    assert (mail.tries, mail.next_try_at, mail.last_error) == (3, NOW + timedelta(seconds=5), "The server is away.")
    mail.postpone("Later", timedelta(seconds=9), NOW)
    assert (mail.state, mail.tries, mail.next_try_at) == (QUEUED, 4, NOW + timedelta(seconds=9))
    mail.postpone("Later", None, NOW)
    assert (mail.state, mail.tries) == (FAILED, 5)


def test_only_what_has_failed_can_be_sent_again_by_people() -> None:
    assert {state for state in MailState if a_mail(state).allowed_actions} == {FAILED}


def test_the_code_of_a_refused_step_is_one_that_clients_know() -> None:
    assert InvalidStatusTransition.code in CODES

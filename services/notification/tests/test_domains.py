"""Trouble with a domain is counted by attempt, in whatever order attempts begin and end."""

from contextlib import ExitStack

import pytest

from chassis.breaker import FAILURES, Unreached
from notification.mails.domains import Domains


@pytest.fixture
def domains() -> Domains:
    return Domains()


def fail_together(domains: Domains, attempts: int) -> None:
    """All have begun before the first one ends."""
    with ExitStack() as under_way:
        for _ in range(attempts):
            under_way.enter_context(pytest.raises(Unreached))
            under_way.enter_context(_failing(domains))


def _failing(domains: Domains) -> ExitStack:
    attempt = ExitStack()
    attempt.enter_context(domains.watch("stuck.example"))
    attempt.callback(_no_answer)
    return attempt


def _no_answer() -> None:
    raise Unreached("no answer")


@pytest.mark.parametrize("at_once", range(1, FAILURES + 1))
def test_each_failure_counts_however_many_are_under_way_at_once(domains: Domains, at_once: int) -> None:
    fail_together(domains, FAILURES - at_once)
    assert domains.wait("stuck.example") == 0

    fail_together(domains, at_once)

    assert domains.wait("stuck.example") > 0
    assert domains.wait("well.example") == 0


def test_one_that_gets_through_ends_the_trouble_and_what_is_late_begins_to_count_anew(domains: Domains) -> None:
    fail_together(domains, FAILURES - 1)
    assert domains.is_troubled("stuck.example")

    with domains.watch("stuck.example"):
        pass
    assert not domains.is_troubled("stuck.example")
    fail_together(domains, 1)

    assert domains.is_troubled("stuck.example")
    assert domains.wait("stuck.example") == 0

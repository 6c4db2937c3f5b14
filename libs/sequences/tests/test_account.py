"""What was walked is told path by path, and what was not is owed."""

import json
from pathlib import Path

import pytest

from sequences.account import AS_PLANNED, IN_PROCESS, RABBITMQ, Account, Walk, missing, rules_table, table
from sequences.reading import Designs, read

from .factories import document

PLANNED = Walk("SEQ-ORD-001", AS_PLANNED, IN_PROCESS)
PLANNED_OVER_RABBITMQ = Walk("SEQ-ORD-001", AS_PLANNED, RABBITMQ)
REFUSED = Walk("SEQ-ORD-001", "INSUFFICIENT_STOCK", IN_PROCESS)
UNPAID = Walk("SEQ-ORD-001", "PAYMENT_FAILED", RABBITMQ)


@pytest.fixture
def designs(tmp_path: Path) -> Designs:
    (tmp_path / "SEQ-ORD-001.json").write_text(json.dumps(document()))
    return read(tmp_path)


def test_the_table_names_each_path_with_its_brokers_and_the_tests_that_walked_it(designs: Designs) -> None:
    account = Account()
    for walk, test in [
        (PLANNED, "test_a"),
        (PLANNED, "test_b"),
        (PLANNED_OVER_RABBITMQ, "test_b"),
        (PLANNED_OVER_RABBITMQ, "test_c"),
    ]:
        account.note_walk(walk, test)
    account.skipped[UNPAID] = "There is no RabbitMQ"

    lines = [" ".join(line.split()) for line in table(designs, account)]

    assert lines == [
        "SEQ-ORD-001 Place an order",
        "as planned in process test_a",
        "in process, rabbitmq test_b",
        "rabbitmq test_c",
        "INSUFFICIENT_STOCK -",
        "PAYMENT_FAILED rabbitmq skipped: There is no RabbitMQ",
    ]


def test_what_was_neither_walked_nor_skipped_is_owed_on_each_broker(designs: Designs) -> None:
    account = Account(skipped={UNPAID: "There is no RabbitMQ"})
    account.note_walk(PLANNED, "test_a")

    owed = account.unwalked(designs, [IN_PROCESS, RABBITMQ])

    assert list(missing(owed)) == [
        "SEQ-ORD-001 INSUFFICIENT_STOCK: in process, rabbitmq",
        "SEQ-ORD-001 PAYMENT_FAILED: in process",
        "SEQ-ORD-001 as planned: rabbitmq",
    ]
    assert account.unwalked(designs, [IN_PROCESS]) == [REFUSED, Walk("SEQ-ORD-001", "PAYMENT_FAILED", IN_PROCESS)]


def test_each_rule_has_a_line_with_the_tests_that_hold_it() -> None:
    account = Account()
    for rule, test in [("BR-ORD-002", "test_b"), ("BR-ORD-001", "test_b"), ("BR-ORD-001", "test_a")]:
        account.note_rule(rule, test)

    lines = [" ".join(line.split()) for line in rules_table(account.held)]

    assert lines == ["BR-ORD-001 test_a, test_b", "BR-ORD-002 test_b"]

"""A run of pytest with the plugin: marked tests are held to their designs, and a whole run to all of them."""

import pytest

from .factories import document
from .shop import SHOP, Shop

PLANNED = """
@on_both
@pytest.mark.sequence("SEQ-ORD-001")
@pytest.mark.rule("BR-ORD-001", "BR-ORD-002")
def test_planned(broker):
    place()
"""
REFUSED = """
@on_both
@pytest.mark.sequence("SEQ-ORD-001", exception="INSUFFICIENT_STOCK")
def test_refused(broker):
    refused()
"""
OWED = "*paths that no passed test walked*"


@pytest.fixture
def shop(pytester: pytest.Pytester) -> Shop:
    return Shop(pytester)


ALONE_AND_SHARED = pytest.mark.parametrize("how", [(), ("-n", "2")], ids=["in one process", "in several"])


@ALONE_AND_SHARED
def test_a_whole_run_that_has_walked_every_path_shows_who_walked_what(shop: Shop, how: tuple[str, ...]) -> None:
    shop.walks(PLANNED, REFUSED)

    result = shop.run(*how)

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "SEQ-ORD-001  Place an order",
            "    as planned * in process, rabbitmq * test_planned",
            "    INSUFFICIENT_STOCK * in process, rabbitmq * test_refused",
            "*rules that were held*",
            "BR-ORD-001 * test_planned",
            "BR-ORD-002 * test_planned",
        ]
    )
    result.stdout.no_fnmatch_line(OWED)


@ALONE_AND_SHARED
def test_a_path_without_a_test_fails_a_whole_run_and_is_named(shop: Shop, how: tuple[str, ...]) -> None:
    shop.walks(PLANNED)

    result = shop.run(*how)

    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([OWED, "SEQ-ORD-001 INSUFFICIENT_STOCK: in process, rabbitmq"])


def test_a_path_that_was_walked_on_one_broker_only_is_owed_on_the_other(shop: Shop) -> None:
    shop.walks(PLANNED, REFUSED.replace("@on_both", "").replace("broker", ""))

    result = shop.run()

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["    INSUFFICIENT_STOCK * in process * test_refused"])
    result.stdout.fnmatch_lines([OWED, "SEQ-ORD-001 INSUFFICIENT_STOCK: rabbitmq"])


def test_without_rabbitmq_only_the_other_broker_is_owed(shop: Shop) -> None:
    shop.walks(PLANNED, REFUSED)
    assert shop.run("-m", "not rabbitmq").ret == 0

    shop.walks(PLANNED)
    result = shop.run("-m", "not rabbitmq")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([OWED, "SEQ-ORD-001 INSUFFICIENT_STOCK: in process"])


@ALONE_AND_SHARED
def test_a_walk_that_is_skipped_with_its_reason_is_shown_and_not_owed(shop: Shop, how: tuple[str, ...]) -> None:
    shop.walks(PLANNED, '@pytest.mark.skip(reason="No card reader")', REFUSED)

    result = shop.run(*how)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["    INSUFFICIENT_STOCK * in process * skipped: No card reader"])


@pytest.mark.parametrize("excuse", ["@pytest.mark.skip", "@pytest.mark.xfail(strict=False)"])
def test_neither_a_skip_without_a_reason_nor_an_expected_failure_is_an_excuse(shop: Shop, excuse: str) -> None:
    shop.walks(PLANNED, excuse, REFUSED.replace("refused()\n", "place()\n"))

    result = shop.run()

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([OWED, "SEQ-ORD-001 INSUFFICIENT_STOCK: in process, rabbitmq"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "planned"),
        ("-m", "rabbitmq"),
        ("tests/sequences/test_walks.py",),
        ("tests/sequences/test_walks.py::test_planned",),
        ("other",),
        ("--deselect", "other/test_other.py"),
        ("--ignore", "other"),
        ("--collect-only",),
        ("-p", "cacheprovider", "--lf"),
    ],
    ids=" ".join,
)
def test_a_part_of_a_run_owes_nothing(shop: Shop, arguments: tuple[str, ...]) -> None:
    shop.walks(PLANNED)

    result = shop.run(*arguments)

    assert result.ret == 0
    result.stdout.no_fnmatch_line(OWED)


@pytest.mark.parametrize("folder", ["tests/sequences", "tests", "."])
def test_the_folder_of_the_walks_or_one_around_it_is_a_whole_run(shop: Shop, folder: str) -> None:
    shop.walks(PLANNED)

    assert shop.run(folder).ret == pytest.ExitCode.TESTS_FAILED


def test_a_run_that_was_broken_off_owes_nothing_more(shop: Shop) -> None:
    shop.walks(PLANNED.replace("place()", "place(left_out='make')"))

    result = shop.run("-x")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.no_fnmatch_line(OWED)


def test_where_nothing_is_designed_nothing_is_owed_and_nothing_said(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest_inprocess("-p", "sequences.walking", "-p", "no:asyncio")

    assert result.ret == 0
    result.stdout.no_fnmatch_line("*sequences that were walked*")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("place(left_out='make')", "missing: step 3, Orders → Orders: make"),
        ("refused()", "error: step 2, Orders → Stock: hold (ends with INSUFFICIENT_STOCK, not without one)"),
        ("pass", "SEQ-ORD-001 was not begun: nothing did Customer → Orders: placeOrder"),
        ("make()", "SEQ-ORD-001 was not begun: nothing did Customer → Orders: placeOrder"),
    ],
    ids=["something left out", "another path", "nothing", "a part of it"],
)
def test_a_test_that_walks_something_else_fails_and_its_path_is_owed(shop: Shop, body: str, message: str) -> None:
    shop.walks(PLANNED.replace("place()", body), REFUSED)

    result = shop.run("-m", "not rabbitmq")

    result.assert_outcomes(passed=2, failed=1, deselected=2)
    result.stdout.fnmatch_lines([f"*{message}*"])
    result.stdout.fnmatch_lines([OWED, "SEQ-ORD-001 as planned: in process"])


def test_a_test_that_fails_by_itself_says_how_its_walk_differs(shop: Shop) -> None:
    shop.walks(PLANNED.replace("place()", "place(left_out='make')\n    assert broker == 'none'"))

    result = shop.run("-k", "planned and process")

    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["E *assert *", "*missing: step 3, Orders → Orders: make"])


def test_one_that_fails_in_a_process_that_shares_the_tests_is_owed_too(shop: Shop) -> None:
    shop.walks(PLANNED.replace("place()", "pass"), REFUSED)

    result = shop.run("-n", "2")

    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines([OWED, "SEQ-ORD-001 as planned: in process, rabbitmq"])


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ('"SEQ-ORD-009"', "There is no design SEQ-ORD-009."),
        ('"SEQ-ORD-001", exception="NO_SUCH_PATH"', "SEQ-ORD-001 has no path NO_SUCH_PATH."),
        ('"SEQ-ORD-001", exception=""', "SEQ-ORD-001 has no path ."),
    ],
)
def test_a_claim_of_what_nobody_has_designed_fails(shop: Shop, mark: str, message: str) -> None:
    shop.walks(f"@pytest.mark.sequence({mark})\ndef test_it():\n    place()")

    result = shop.run("-k", "test_it")

    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines([f"*{message}"])


@pytest.mark.parametrize(
    "mark", ['"SEQ-ORD-001", "INSUFFICIENT_STOCK"', '"SEQ-ORD-001", exceptoin="INSUFFICIENT_STOCK"', ""]
)
def test_a_mark_that_is_written_wrongly_does_not_claim_the_planned_run(shop: Shop, mark: str) -> None:
    shop.walks(f"@pytest.mark.sequence({mark})\ndef test_it():\n    place()")

    result = shop.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *test_it: the mark `sequence` takes an id and an exception: *"])


def test_a_run_may_do_without_what_is_optional_and_some_run_has_to_have_it(shop: Shop) -> None:
    design = document(exceptions=[])
    design["steps"][2]["is_optional"] = True
    shop.designs(design)
    without = PLANNED.replace("place()", "place(left_out='make')").replace("test_planned", "test_without")

    shop.walks(PLANNED, without)
    result = shop.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["    as planned * test_planned, test_without", "    with step 3, make * test_planned"])

    shop.walks(without)
    result = shop.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([OWED, "SEQ-ORD-001 with step 3, make: in process, rabbitmq"])

    shop.walks('@pytest.mark.skip(reason="No card reader")', PLANNED)
    assert shop.run().ret == 0


def test_what_is_not_optional_is_missed_beside_what_is(shop: Shop) -> None:
    design = document(exceptions=[])
    design["steps"][2]["is_optional"] = True
    shop.designs(design)
    shop.walks(PLANNED.replace("place()", "place(left_out='hold')"))

    result = shop.run()

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*missing: step 2, Orders → Stock: hold"])


def test_a_loop_may_go_round_often_and_nothing_else_may(shop: Shop) -> None:
    design = document(exceptions=[])
    often = SHOP.replace("else 1)", "else 3)")
    walks = [often, PLANNED]
    shop.designs(design)
    shop.walks(*walks)
    result = shop.run("-m", "not rabbitmq")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*extra: Orders → Orders: make"])

    design["steps"][2]["loop"] = "parcel"
    shop.designs(design)
    assert shop.run("-m", "not rabbitmq").ret == 0

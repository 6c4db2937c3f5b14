"""What was seen is what was designed, or the difference has a name."""

from typing import Any

from sequences.comparing import Call, Difference, Kind, compare, expected

from .factories import call, design

PLACE = call("Customer > Orders: placeOrder")
HOLD = call("Orders > Stock: hold", "StockHeld")
MAKE = call("Orders > Orders: make", "OrderMade")
MAIL = call("Orders > Mail: sendMail")


def differences(*seen: Call, path: str | None = None, **changes: object) -> list[tuple[Kind, str]]:
    sequence = design(**changes)
    chosen = sequence.path(path) if path else None
    return [(found.kind, str(found.call)) for found in compare(expected(sequence, chosen), seen)]


def test_a_run_as_designed_shows_no_difference() -> None:
    assert differences(PLACE, HOLD, MAKE, MAIL) == []


def test_what_comes_afterwards_may_come_at_any_time() -> None:
    assert differences(PLACE, MAIL, HOLD, MAKE) == []


def test_what_comes_afterwards_in_one_transaction_comes_in_its_order() -> None:
    mail = {"actor": "Orders", "target": "Mail", "mode": "asynchronous", "transaction": "mail"}
    steps = [
        {"step": 1, "actor": "Customer", "action": "placeOrder", "target": "Orders"},
        {**mail, "step": 2, "action": "write"},
        {**mail, "step": 3, "action": "address"},
        {**mail, "step": 4, "action": "sign"},
    ]
    write, address, sign = (call(f"Orders > Mail: {action}") for action in ("write", "address", "sign"))

    assert differences(PLACE, write, address, sign, steps=steps) == []
    assert differences(write, PLACE, address, sign, steps=steps) == []
    assert differences(PLACE, write, sign, address, steps=steps) == [(Kind.REORDERED, "Orders → Mail: sign")]
    assert differences(PLACE, sign, write, address, steps=steps) == [
        (Kind.REORDERED, "Orders → Mail: sign"),
    ]


def test_a_call_that_did_not_happen_is_missing() -> None:
    assert differences(PLACE, MAKE, MAIL) == [(Kind.MISSING, "Orders → Stock: hold")]


def test_a_mail_that_was_not_sent_is_missing() -> None:
    assert differences(PLACE, HOLD, MAKE) == [(Kind.MISSING, "Orders → Mail: sendMail")]


def test_a_call_that_nobody_designed_is_extra() -> None:
    assert differences(PLACE, HOLD, call("Orders > Cart: clear"), MAKE, MAIL) == [(Kind.EXTRA, "Orders → Cart: clear")]


def test_the_same_call_twice_is_extra_once() -> None:
    assert differences(PLACE, HOLD, HOLD, MAKE, MAIL) == [(Kind.EXTRA, "Orders → Stock: hold")]


def test_two_calls_that_changed_places_are_one_reordering() -> None:
    [(kind, moved)] = differences(PLACE, MAKE, HOLD, MAIL)

    assert kind == Kind.REORDERED
    assert moved in {"Orders → Stock: hold", "Orders → Orders: make"}


def test_the_same_action_of_another_caller_is_another_call() -> None:
    assert differences(PLACE, call("Cart > Stock: hold", "StockHeld"), MAKE, MAIL) == [
        (Kind.MISSING, "Orders → Stock: hold"),
        (Kind.EXTRA, "Cart → Stock: hold"),
    ]


def test_an_event_that_is_missing_or_another_one_is_named() -> None:
    silent = compare(expected(design()), [PLACE, call("Orders > Stock: hold"), MAKE, MAIL])
    strange = compare(expected(design()), [PLACE, call("Orders > Stock: hold", "OrderMade"), MAKE, MAIL])

    assert [str(found) for found in silent] == ["event: step 2, Orders → Stock: hold (emits nothing, not StockHeld)"]
    assert [str(found) for found in strange] == ["event: step 2, Orders → Stock: hold (emits OrderMade, not StockHeld)"]


def test_a_path_ends_at_its_step_with_its_error() -> None:
    place = call("Customer > Orders: placeOrder", error="INSUFFICIENT_STOCK")
    refused = call("Orders > Stock: hold", error="INSUFFICIENT_STOCK")

    assert differences(place, refused, path="INSUFFICIENT_STOCK") == []
    assert differences(place, refused, MAKE, path="INSUFFICIENT_STOCK") == [(Kind.EXTRA, "Orders → Orders: make")]
    assert differences(place, HOLD, path="INSUFFICIENT_STOCK") == [
        (Kind.EVENT, "Orders → Stock: hold"),
        (Kind.ERROR, "Orders → Stock: hold"),
    ]


def test_what_a_path_does_then_is_part_of_it() -> None:
    place = call("Customer > Orders: placeOrder", error="PAYMENT_FAILED")
    failed, release = call("Orders > Orders: make", error="PAYMENT_FAILED"), call("Orders > Stock: release")

    assert differences(place, HOLD, failed, release, path="PAYMENT_FAILED") == []
    assert differences(place, HOLD, failed, path="PAYMENT_FAILED") == [(Kind.MISSING, "Orders → Stock: release")]


def test_an_error_on_the_way_that_was_planned_without_one_is_named() -> None:
    made = call("Orders > Orders: make", "OrderMade", error="CONFLICT")

    assert compare(expected(design()), [PLACE, HOLD, made, MAIL]) == [
        Difference(Kind.ERROR, expected(design()).in_order[2], "ends with CONFLICT, not without one")
    ]


def test_an_optional_step_may_be_absent_but_not_elsewhere() -> None:
    steps = [
        {"step": 1, "actor": "Customer", "action": "placeOrder", "target": "Orders"},
        {"step": 2, "actor": "Orders", "action": "hold", "target": "Stock", "event": "StockHeld", "is_optional": True},
        {"step": 3, "actor": "Orders", "action": "make", "target": "Orders", "event": "OrderMade"},
    ]

    assert differences(PLACE, MAKE, steps=steps) == []
    assert differences(PLACE, HOLD, MAKE, steps=steps) == []
    assert [kind for kind, _ in differences(PLACE, MAKE, HOLD, steps=steps)] == [Kind.REORDERED]


def in_a_loop() -> list[dict[str, object]]:
    return [
        {"step": 1, "actor": "Customer", "action": "placeOrder", "target": "Orders"},
        {"step": 2, "actor": "Orders", "action": "find", "target": "Stock", "loop": "batch"},
        {"step": 3, "actor": "Orders", "action": "remove", "target": "Stock", "loop": "batch"},
        {"step": 4, "actor": "Orders", "action": "make", "target": "Orders", "event": "OrderMade"},
    ]


def test_of_calls_that_are_alike_the_one_that_may_be_absent_is() -> None:
    note = {"actor": "Orders", "action": "note", "target": "Books"}
    steps = [
        {"step": 1, "actor": "Customer", "action": "placeOrder", "target": "Orders"},
        {"step": 2, **note, "is_optional": True},
        {"step": 3, **note},
        {"step": 4, "actor": "Orders", "action": "make", "target": "Orders", "event": "OrderMade"},
    ]
    noted = call("Orders > Books: note")

    assert differences(PLACE, noted, MAKE, steps=steps) == []
    assert differences(PLACE, noted, noted, MAKE, steps=steps) == []
    assert differences(PLACE, MAKE, steps=steps) == [(Kind.MISSING, "Orders → Books: note")]
    assert differences(PLACE, noted, noted, noted, MAKE, steps=steps) == [(Kind.EXTRA, "Orders → Books: note")]


FIND, REMOVE = call("Orders > Stock: find"), call("Orders > Stock: remove")


def test_what_a_loop_does_again_is_no_difference() -> None:
    assert differences(PLACE, FIND, REMOVE, FIND, REMOVE, FIND, MAKE, steps=in_a_loop()) == []


def test_what_a_loop_has_done_is_extra_when_it_comes_after_the_loop() -> None:
    assert differences(PLACE, FIND, REMOVE, MAKE, REMOVE, steps=in_a_loop()) == [(Kind.EXTRA, "Orders → Stock: remove")]


def test_what_comes_afterwards_does_not_end_a_loop() -> None:
    mailed = {"step": 5, "actor": "Orders", "action": "sendMail", "target": "Mail", "mode": "asynchronous"}

    assert differences(PLACE, FIND, REMOVE, MAIL, FIND, REMOVE, MAKE, steps=[*in_a_loop(), mailed]) == []


def test_what_a_loop_leaves_out_is_missing() -> None:
    assert differences(PLACE, FIND, FIND, MAKE, steps=in_a_loop()) == [(Kind.MISSING, "Orders → Stock: remove")]


def test_a_round_of_a_loop_that_fails_is_seen() -> None:
    failed = call("Orders > Stock: remove", error="DBAPIError")
    path = {"id": "DB", "condition": "The database fails", "step": 3, "handling": "Go on", "error": "DBAPIError"}
    again = {"actor": "Orders", "action": "remove", "target": "Stock"}
    changes: dict[str, Any] = {"steps": in_a_loop(), "exceptions": [{**path, "goes_on": True, "then": [again]}]}

    seen = compare(expected(design(**changes), design(**changes).path("DB")), [PLACE, FIND, failed, FIND, REMOVE, MAKE])

    assert seen == []
    assert differences(PLACE, FIND, failed, FIND, MAKE, **changes)[0] == (Kind.ERROR, "Orders → Stock: remove")


def test_an_optional_step_that_a_path_is_about_has_to_be_there() -> None:
    steps = in_a_loop()
    steps[2]["is_optional"] = True
    path = {"id": "DB", "condition": "The database fails", "step": 3, "handling": "Go on", "error": "DBAPIError"}
    changes: dict[str, Any] = {"steps": steps, "exceptions": [{**path, "goes_on": True}]}

    assert differences(PLACE, FIND, MAKE, **changes) == []
    assert differences(PLACE, FIND, MAKE, path="DB", **changes) == [(Kind.MISSING, "Orders → Stock: remove")]


def test_a_caller_may_refuse_what_a_step_has_answered_well() -> None:
    path = {"id": "LATE", "condition": "Too late", "step": 2, "handling": "PAYMENT_FAILED", "code": "PAYMENT_FAILED"}
    changes: dict[str, Any] = {"exceptions": [{**path, "step_succeeds": True}]}
    refused = call("Customer > Orders: placeOrder", error="PAYMENT_FAILED")

    assert differences(refused, HOLD, path="LATE", **changes) == []
    assert differences(PLACE, HOLD, path="LATE", **changes) == [(Kind.ERROR, "Customer → Orders: placeOrder")]


def test_what_is_refused_before_a_step_does_not_come_to_it() -> None:
    path = {"id": "NONE", "condition": "Nothing", "step": 2, "handling": "PAYMENT_FAILED", "code": "PAYMENT_FAILED"}
    changes: dict[str, Any] = {"exceptions": [{**path, "step_is_absent": True}]}
    refused = call("Customer > Orders: placeOrder", error="PAYMENT_FAILED")

    assert differences(refused, path="NONE", **changes) == []
    assert differences(refused, HOLD, path="NONE", **changes) == [(Kind.EXTRA, "Orders → Stock: hold")]


def test_what_goes_on_without_a_step_does_not_come_to_it() -> None:
    path = {"id": "NONE", "condition": "Nothing", "step": 2, "handling": "Go on", "goes_on": True}
    changes: dict[str, Any] = {"exceptions": [{**path, "step_is_absent": True}]}

    assert differences(PLACE, MAKE, MAIL, path="NONE", **changes) == []
    assert differences(PLACE, HOLD, MAKE, MAIL, path="NONE", **changes) == [(Kind.EXTRA, "Orders → Stock: hold")]


def test_a_path_may_go_on_without_later_steps_too() -> None:
    path = {"id": "NONE", "condition": "Nothing", "step": 2, "handling": "Go on", "goes_on": True}
    changes: dict[str, Any] = {"exceptions": [{**path, "step_is_absent": True, "without": [3]}]}

    assert differences(PLACE, MAIL, path="NONE", **changes) == []
    assert differences(PLACE, MAKE, MAIL, path="NONE", **changes) == [(Kind.EXTRA, "Orders → Orders: make")]


def test_a_mail_that_fails_first_and_is_sent_then_is_seen_twice() -> None:
    path = {"id": "AWAY", "condition": "No mail server", "step": 5, "handling": "Try again", "error": "MailServerAway"}
    again = {"actor": "Orders", "action": "sendMail", "target": "Mail"}
    changes: dict[str, Any] = {"exceptions": [{**path, "goes_on": True, "then": [again]}]}
    failed = call("Orders > Mail: sendMail", error="MailServerAway")

    assert differences(PLACE, HOLD, failed, MAKE, MAIL, path="AWAY", **changes) == []
    assert differences(PLACE, HOLD, MAKE, MAIL, path="AWAY", **changes) == [(Kind.MISSING, "Orders → Mail: sendMail")]

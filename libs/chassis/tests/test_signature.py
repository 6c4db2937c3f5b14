"""Which webhooks are believed: vectors of the standard-webhooks scheme."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from chassis.signature import NotVerified, Signed, read_keys, sign, verify

# The vector that the scheme's own libraries test with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
KNOWN = Signed(ID, "1614265330", SIGNATURE)
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret, as long").decode()


def test_the_scheme_s_own_example_is_signed_as_it_should_be() -> None:
    assert sign(SECRET, ID, AT, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


@pytest.mark.parametrize(
    "signatures",
    [
        SIGNATURE,
        f"v1,AAAA {SIGNATURE}",
        f"{SIGNATURE} v1,{'A' * 43}=",
        f"v1a,{SIGNATURE[3:]} v2,whatever {SIGNATURE}",
        f"v1,not-base64 v1 , v1,é {SIGNATURE}",
    ],
)
def test_one_good_signature_is_enough(signatures: str) -> None:
    verify(read_keys(SECRET), Signed(ID, "1614265330", signatures), BODY, AT)


@pytest.mark.parametrize("off", [timedelta(0), timedelta(minutes=5), timedelta(minutes=-5)])
def test_five_minutes_are_tolerated(off: timedelta) -> None:
    verify(read_keys(SECRET), KNOWN, BODY, AT + off)


@pytest.mark.parametrize("off", [timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1), timedelta(365)])
def test_more_is_not(off: timedelta) -> None:
    with pytest.raises(NotVerified):
        verify(read_keys(SECRET), KNOWN, BODY, AT + off)


@pytest.mark.parametrize(
    "signed",
    [
        Signed("", "", ""),
        Signed("", "1614265330", SIGNATURE),
        Signed(ID, "", SIGNATURE),
        Signed(ID, "1614265330", ""),
        Signed(ID + "x", "1614265330", SIGNATURE),
        Signed(ID, "1614265331", SIGNATURE),
        Signed(ID, "1614265330.0", SIGNATURE),
        Signed(ID, " 1614265330", SIGNATURE),
        Signed(ID, "-1614265330", SIGNATURE),
        Signed(ID, "1" * 400, SIGNATURE),
        Signed(ID, "1614265330\n", SIGNATURE),
        Signed(ID, "١٦١٤٢٦٥٣٣٠", SIGNATURE),
        Signed("m" * 201, "1614265330", SIGNATURE),
        Signed("with space", "1614265330", SIGNATURE),
        Signed(ID, "1614265330", SIGNATURE.replace("v1", "v2")),
        Signed(ID, "1614265330", SIGNATURE[3:]),
        Signed(ID, "1614265330", "v1," + SIGNATURE[3:].lower()),
        Signed(ID, "1614265330", " ".join(["v1,AAAA"] * 10 + [SIGNATURE])),
        Signed(ID, "1614265330", "é\x00,,,   ,v1,v1,"),
    ],
)
def test_everything_else_is_not_believed(signed: Signed) -> None:
    with pytest.raises(NotVerified) as refusal:
        verify(read_keys(SECRET), signed, BODY, AT)

    assert refusal.value.message == "The webhook's signature could not be verified."


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"4", b"5")])
def test_nobody_can_change_the_body(body: bytes) -> None:
    with pytest.raises(NotVerified):
        verify(read_keys(SECRET), KNOWN, body, AT)


def test_a_part_of_the_body_cannot_become_a_part_of_the_id() -> None:
    headers = sign(SECRET, "a", AT, b"b.1614265330.{}")
    with pytest.raises(NotVerified):
        verify(read_keys(SECRET), Signed("a.1614265330.b", "1614265330", headers["webhook-signature"]), b"{}", AT)


def test_while_one_secret_replaces_another_both_are_good() -> None:
    both = read_keys(f"{OTHER_SECRET} {SECRET}")

    for secret in (SECRET, OTHER_SECRET):
        headers = sign(secret, ID, AT, BODY)
        verify(both, Signed(ID, headers["webhook-timestamp"], headers["webhook-signature"]), BODY, AT)

    with pytest.raises(NotVerified):
        verify(read_keys(OTHER_SECRET), KNOWN, BODY, AT)


@pytest.mark.parametrize(
    "secret", ["", "  ", "whsec_", "whsec_c2hvcnQ=", SECRET[6:], "whsec_not base64 at all", "whsec_ü"]
)
def test_a_secret_that_is_none_is_found_at_the_start_and_not_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="secret") as refusal:
        read_keys(secret)

    assert not secret.strip() or secret not in str(refusal.value) or secret == "whsec_"

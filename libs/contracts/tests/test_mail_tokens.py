"""A mailed token is known to those who share the secret, and to nobody else."""

import base64
import hashlib
import hmac
from uuid import UUID

from contracts.mail_tokens import MailPurpose, mail_token

ID = UUID("0199a1b2-0000-7000-8000-0000000000b1")
OTHER_ID = UUID("0199a1b2-0000-7000-8000-0000000000b2")


def test_it_is_the_id_and_a_mac_of_the_purpose_and_the_id() -> None:
    mac = hmac.new(b"secret", f"verification:{ID}".encode(), hashlib.sha256).digest()

    assert mail_token("secret", MailPurpose.VERIFICATION, ID) == f"{ID}.{base64.urlsafe_b64encode(mac).decode()[:-1]}"


def test_what_was_mailed_stays_readable_by_later_versions() -> None:
    assert mail_token("secret", MailPurpose.PASSWORD_RESET, ID) == (
        "0199a1b2-0000-7000-8000-0000000000b1.6RdgnKcJvAhKDqbAQHQOdKwMK-HX12t4-ZpnoECJJVY"
    )


def test_secret_purpose_and_id_each_make_another_one() -> None:
    tokens = {
        mail_token("secret", MailPurpose.VERIFICATION, ID),
        mail_token("another", MailPurpose.VERIFICATION, ID),
        mail_token("secret", MailPurpose.PASSWORD_RESET, ID),
        mail_token("secret", MailPurpose.VERIFICATION, OTHER_ID),
    }

    assert len({token.partition(".")[2] for token in tokens}) == 4


def test_it_fits_into_a_link_as_it_is() -> None:
    token = mail_token("secret", MailPurpose.VERIFICATION, ID)

    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(token) == 36 + 1 + 43

"""Which passwords are taken, wherever one is chosen."""

import pytest
from pydantic import SecretStr

from sales.customers.strength import WeakPassword, validate_password_strength
from sales.seed import DEMO_EMAIL, DEMO_PASSWORD
from services.sales.tests.accounts import ANOTHER, GRACE, PASSWORD, refused, register
from services.sales.tests.factories import Sales


def missed(password: str, email: str = GRACE) -> list[str]:
    try:
        validate_password_strength(SecretStr(password), email)
    except WeakPassword as weak:
        return [detail["requirement"] for detail in weak.details]
    return []


@pytest.mark.rule("BR-REG-002")
async def test_a_weak_password_is_refused_with_what_it_misses(sales: Sales) -> None:
    answer = await register(sales, password="Grace")

    assert refused(answer) == (400, "WEAK_PASSWORD")
    assert answer.json()["error"]["details"] == [
        {"field": "password", "requirement": "length", "message": "It must have 12 to 128 characters."},
        {
            "field": "password",
            "requirement": "uncommon",
            "message": "It must not be one of those that are tried first.",
        },
        {
            "field": "password",
            "requirement": "other_than_email",
            "message": "It must not be the e-mail, nor the part before the @.",
        },
    ]
    assert await sales.count("customers") == await sales.count("outbox") == 0


@pytest.mark.parametrize(
    ("password", "requirements"),
    [
        ("k3Tz#pQ9wLm", ["length"]),
        ("k3Tz#pQ9wLmv", []),
        ("k3Tz#pQ9wLmv" * 10 + "k3Tz#pQ9", []),
        ("k3Tz#pQ9wLmv" * 10 + "k3Tz#pQ9w", ["length"]),
        ("日本語のパスワード長め", ["length"]),
        ("日本語のパスワード長めに", []),
    ],
)
def test_twelve_to_128_characters_of_any_kind(password: str, requirements: list[str]) -> None:
    assert missed(password) == requirements


COMMON = [
    "passwordpassword",
    "Password1234",
    "PASSWORD1234!",
    "P@ssw0rd1234",
    "p4$$w0rdp4$$w0rd",
    "1234password5678",
    "pass-word-2024!!",
    "password",
    "passwort12345",
    "iloveyouforever",
    "ILoveYou20242024",
    "letmeinletmein",
    "administrator",
    "admin1234567",
    "welcome12345",
    "qwertyuiopas",
    "qwertzuiop123",
    "poiuytrewq123",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "123456789012",
    "098765432109",
    "abcdefghijkl",
    "abcabcabcabc",
    "aaaaaaaaaaaa",
    "abababababab",
    "111111222222",
    "correcthorsebatterystaple",
    "dragonmonkey",
    "sunshine.monkey!",
    "michaeljordan23",
    "fcbayern1900",
    "Sommer2024!!",
    "supercalifragilisticexpialidocious",
]


@pytest.mark.rule("BR-REG-002")
@pytest.mark.parametrize("password", COMMON)
def test_what_is_tried_first_is_not_taken(password: str) -> None:
    assert "uncommon" in missed(password)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        ANOTHER,
        "k3Tz#pQ9wLmv",
        "sunshine monkey dragon charlie",
        "password4829105736182",
        "plumtalcvexjib",
        "Donnerstags gibt es Linsensuppe",
        "0f9c1be27d44",
    ],
)
def test_what_nobody_tries_first_is_taken(password: str) -> None:
    assert missed(password) == []


@pytest.mark.rule("BR-REG-002")
@pytest.mark.parametrize(
    ("password", "email"),
    [
        ("ada.lovelace@example.org", "ada.lovelace@example.org"),
        ("ADA.LOVELACE@EXAMPLE.ORG", "ada.lovelace@example.org"),
        ("ada.lovelace", "ada.lovelace@example.org"),
        ("Ada.Lovelace1815!", "ada.lovelace@example.org"),
        ("adalovelaceadalovelace", "ada.lovelace@example.org"),
        ("ada.lovelace", "ada.lovelace1815@example.org"),
    ],
)
def test_the_email_is_no_password(password: str, email: str) -> None:
    assert "other_than_email" in missed(password, email)


def test_what_only_holds_the_email_is_one() -> None:
    assert missed("grace under a pressure cooker", GRACE) == []


def test_the_demo_customers_own_is_one() -> None:
    assert missed(DEMO_PASSWORD, DEMO_EMAIL) == []

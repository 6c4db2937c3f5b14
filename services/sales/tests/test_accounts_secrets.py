"""Secrets stay with those who have them: no log, event, refusal, audit row or table holds one in clear."""

from typing import Any

from services.sales.tests.accounts import ANOTHER, PASSWORD, listening, mailed, register, send
from services.sales.tests.factories import MAIL_SECRET, PEOPLES_KEY, Sales

WRONG = "canary of a wrong guess 1234"
WEAK = "canary"


async def test_nothing_that_is_kept_or_said_holds_a_secret(sales: Sales) -> None:
    with listening() as log:
        answers = await a_customers_life(sales)
    secrets = {PASSWORD, ANOTHER, WRONG, WEAK, MAIL_SECRET, PEOPLES_KEY, *await all_mailed(sales)}
    given = {value for answer in answers for name, value in answer.items() if name.endswith("_token")}
    parts = {part for each in given | secrets for part in [each, *each.split(".")] if len(part) >= 6}
    refusals = [str(answer["error"]) for answer in answers if "error" in answer]

    kept = [str(row) for table in await tables(sales) for row in await sales.rows(f"SELECT * FROM {table}")]

    assert len(given) >= 8
    assert len(refusals) >= 7
    assert len(kept) > 20
    assert "log_in_refused" in log.getvalue()
    assert holding(parts, [log.getvalue()]) == []
    assert holding(parts, refusals) == []
    # The id in a mailed token is what the event is there to tell; who has no secret makes nothing of it.
    ids = {token.split(".")[0] for token in await all_mailed(sales)}
    assert holding(parts - ids, kept) == []


async def test_no_log_line_holds_an_email_or_a_name(sales: Sales) -> None:
    with listening() as log:
        await a_customers_life(sales)

    assert holding({"grace@example.org", "Grace Example", "ada@example.org"}, [log.getvalue()]) == []


async def test_the_audit_holds_nothing_personal(sales: Sales) -> None:
    await a_customers_life(sales)

    rows = [str(row) for row in await sales.rows("SELECT * FROM audit_log")]
    assert len(rows) >= 5
    assert holding({"grace", "Grace", "ada@", "198.51.100.7"}, rows) == []


async def a_customers_life(sales: Sales) -> list[dict[str, Any]]:
    """All that can be done with secrets, rightly and wrongly; the answers."""
    said: list[dict[str, Any]] = []

    async def do(method: str, path: str, **body: Any) -> dict[str, Any]:
        access = next((each["access_token"] for each in reversed(said) if "access_token" in each), "")
        answer = await send(sales, method, path, body, token=access if method == "PUT" else "")
        assert answer.status_code < 500
        said.append(answer.json() if answer.content else {})
        return said[-1]

    email = "grace@example.org"
    await do("POST", "/customers", email=email, password=WEAK, name="Grace Example")
    await register(sales)
    await do("POST", "/customers", email=email, password=PASSWORD, name="Grace Example")
    await do("POST", "/sessions", email=email, password=WRONG)
    await do("POST", "/sessions", email="ada@example.org", password=WRONG)
    await do("POST", "/sessions", email=email, password=[WRONG])
    tokens = await do("POST", "/sessions", email=email, password=PASSWORD)
    await do("POST", "/sessions/renewal", refresh_token=tokens["refresh_token"])
    await do("POST", "/sessions/renewal", refresh_token=tokens["refresh_token"])
    await do("POST", "/sessions", email=email, password=PASSWORD)
    await do("PUT", "/customers/me/password", password=WRONG, new_password=ANOTHER)
    await do("PUT", "/customers/me/password", password=PASSWORD, new_password=WEAK)
    await do("PUT", "/customers/me/password", password=PASSWORD, new_password=ANOTHER)
    await do("POST", "/customers/verifications", token=(await all_mailed(sales))[0])
    await do("POST", "/customers/password-reset-requests", email=email)
    await sales.run("answer_mail_requests")
    token = (await mailed(sales, "customer.password_reset_requested"))[0]
    await do("POST", "/customers/password-resets", token=token, new_password=WEAK)
    await do("POST", "/customers/password-resets", token=token, new_password=PASSWORD)
    await do("POST", "/customers/password-resets", token=token, new_password=PASSWORD)
    await do("POST", "/sessions", email=email, password=PASSWORD)
    return said


async def all_mailed(sales: Sales) -> list[str]:
    return [
        *await mailed(sales, "customer.registered"),
        *await mailed(sales, "customer.password_reset_requested"),
    ]


async def tables(sales: Sales) -> list[str]:
    rows = await sales.rows("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'")
    return [row["name"] for row in rows]


def holding(secrets: set[str], texts: list[str]) -> list[str]:
    return [secret for secret in secrets if any(secret in text for text in texts)]

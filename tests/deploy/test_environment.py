"""The file .env: `orderflow keys` writes what docker-compose.yml cannot do without, and .env.example explains all."""

import re
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from typer.testing import CliRunner

from orderflow import fleet
from orderflow.main import app

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def test_what_compose_demands_is_written_by_keys() -> None:
    demanded = set(re.findall(r"\$\{(\w+):\?", COMPOSE))

    assert demanded - set(_written()) == set()
    assert {"POSTGRES_PASSWORD", "SALES_SIGNING_KEY", "DELIVERY_CARRIER_SECRET"} <= demanded
    assert {"SALES_ACCOUNTS__LOGIN_KEY", "SALES_ACCOUNTS__MAIL_SECRET"} <= demanded


def test_no_secret_has_a_default() -> None:
    defaulted = set(re.findall(r"\$\{(\w+):?-", COMPOSE))

    assert not re.search("KEY|SECRET|PASSWORD", " ".join(defaulted))


def test_the_example_explains_every_setting_and_no_other() -> None:
    example = set(re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert example == _taken() | {"COMPOSE_PROFILES"}


def test_the_example_holds_no_secret() -> None:
    assert [name for name, value in dotenv_values(ROOT / ".env.example").items() if value] == []


def test_a_service_gets_no_secret_of_another() -> None:
    for service in fleet.NAMES:
        [given] = re.findall(rf"^  {service}:\n((?:    .*\n)+)", COMPOSE, re.MULTILINE)

        taken = set(re.findall(r"[A-Z_]+_(?:PASSWORD|SIGNING_KEY|LOGIN_KEY|SECRET)", given))
        others = {name for name in taken if not name.startswith(service.upper())}
        assert others == ({"SALES_ACCOUNTS__MAIL_SECRET"} if service == "notification" else set())
        assert len(taken) >= 3


def _taken() -> set[str]:
    """By substitution, or passed on where it is set."""
    return set(re.findall(r"\b([A-Z][A-Z_]+): *(?:$|\})", COMPOSE, re.MULTILINE)) | set(
        re.findall(r"\$\{(\w+)", COMPOSE)
    )


def _written() -> dict[str, str | None]:
    made = CliRunner().invoke(app, ["keys"])
    return dotenv_values(stream=StringIO(made.stdout))

"""`orderflow keys`: whatever reads an environment file gets keys that fit together."""

import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.auth import KeyRing
from chassis.keys import Signer
from chassis.settings import ServiceSettings
from orderflow import fleet
from sales.settings import SalesSettings

from .factories import call


def as_a_shell_reads(text: str, folder: Path) -> dict[str, str]:
    (folder / "read.env").write_text(text)
    command = "set -a; . ./read.env; env -0"
    output = subprocess.run(["sh", "-euc", command], cwd=folder, env={}, capture_output=True, check=True).stdout
    return dict(line.split("=", 1) for line in output.decode().split("\0") if line)


def test_every_service_believes_the_others_and_the_people_of_its_platform(tmp_path: Path) -> None:
    made = as_a_shell_reads(call("keys").stdout, tmp_path)

    people = Signer(made["SALES_ACCOUNTS__LOGIN_KEY"])
    for name in fleet.NAMES:
        ring = KeyRing(made[f"{name.upper()}_TRUSTED_KEYS"])
        assert ring.verify(people.token("ada", ["customer"]), name).is_customer
        for other in fleet.NAMES:
            own = Signer(made[f"{other.upper()}_SIGNING_KEY"])
            assert ring.verify(own.token(other, ["service"], name), name).is_service


def test_sales_can_sign_tokens_of_people_and_has_a_secret_for_its_mails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = as_a_shell_reads(call("keys").stdout, tmp_path)
    for name, value in made.items():
        monkeypatch.setenv(name, value)

    accounts = SalesSettings(database_url=SecretStr("x"), product_url="x").accounts

    signer = Signer(accounts.login_key.get_secret_value())
    assert KeyRing(made["DELIVERY_TRUSTED_KEYS"]).verify(signer.token("ada", ["customer"]), "delivery").is_customer
    assert len(accounts.mail_secret.get_secret_value()) >= 32
    assert made["NOTIFICATION_MAIL_SECRET"] == accounts.mail_secret.get_secret_value()
    assert "ORDERFLOW_SIGNING_KEY" not in made


def test_a_token_can_be_had_with_the_key_that_it_prints(tmp_path: Path) -> None:
    made = as_a_shell_reads(call("keys").stdout, tmp_path)

    result = call("token", "admin", environment=dict(made))

    assert KeyRing(made["SALES_TRUSTED_KEYS"]).verify(result.stdout.strip(), "sales").is_admin


def test_every_password_is_another_and_can_stand_in_a_url(tmp_path: Path) -> None:
    made = as_a_shell_reads(call("keys").stdout, tmp_path)

    passwords = [value for name, value in made.items() if name.endswith("_PASSWORD")]
    assert len(passwords) == len(set(passwords)) == 2 * len(fleet.NAMES) + 1
    assert all(value.isalnum() and len(value) >= 32 for value in passwords)


def test_only_the_demo_asks_for_the_demo() -> None:
    assert "COMPOSE_PROFILES" not in call("keys").stdout
    assert "COMPOSE_PROFILES=demo\n" in call("keys", "--demo").stdout


def test_a_file_is_for_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / ".env"

    assert call("keys", str(file)).exit_code == 0
    written = file.read_text()
    again = call("keys", str(file))

    assert file.stat().st_mode & 0o777 == 0o600
    assert again.exit_code == 1
    assert "cannot be written" in again.stderr
    assert file.read_text() == written


def test_settings_take_what_it_prints_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in as_a_shell_reads(call("keys").stdout, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PRODUCT_DATABASE_URL", "postgresql://product@localhost/product")

    settings: ServiceSettings = fleet.settings_of("product")()

    assert Signer(settings.signing_key.get_secret_value()).issuer == "product"

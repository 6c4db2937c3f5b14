"""Keys and tokens: what is signed here is believed there, and no more than it should be."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from chassis.auth import KeyRing, Signer
from chassis.errors import Unauthenticated
from chassis.keys import new_keypair
from orderflow import fleet
from orderflow.folder import Folder
from orderflow.token import DEMO_CUSTOMER
from sales.seed import DEMO_CUSTOMER as SEEDED

from .factories import call


def test_a_token_is_believed_by_whoever_trusts_the_platforms_keys(tmp_path: Path) -> None:
    ring = KeyRing(Folder(tmp_path).keys(["sales"]).trusted)

    for role in ("customer", "warehouse", "admin"):
        result = call("token", role, "--data", str(tmp_path))

        assert result.exit_code == 0
        caller = ring.verify(result.stdout.strip(), "sales")
        assert (caller.subject, set(caller.roles)) == (f"{role}_demo", {role})


def test_the_customer_is_the_one_that_the_seed_makes() -> None:
    assert DEMO_CUSTOMER == SEEDED


def test_subject_and_life_can_be_chosen(tmp_path: Path) -> None:
    Folder(tmp_path).keys(["sales"])

    result = call("token", "admin", "--subject", "grace", "--lives", "30m", "--data", str(tmp_path))

    claims = jwt.decode(result.stdout.strip(), options={"verify_signature": False})
    assert claims["sub"] == "grace"
    assert claims["exp"] - claims["iat"] == timedelta(minutes=30).total_seconds()


def test_a_key_from_the_environment_goes_before_that_of_the_folder(tmp_path: Path) -> None:
    private, public = new_keypair("elsewhere", ["admin"])

    result = call("token", "admin", "--data", str(tmp_path), environment={"SALES_ACCOUNTS__LOGIN_KEY": private})

    assert KeyRing({"keys": [public]}).verify(result.stdout.strip(), "sales").is_admin


@pytest.mark.parametrize("lives", ["0h", "12", "-1h", "soon", "1w"])
def test_a_life_that_is_no_time_is_refused(tmp_path: Path, lives: str) -> None:
    result = call("token", "admin", f"--lives={lives}", "--data", str(tmp_path))

    assert result.exit_code == 2
    assert "such as 90s, 30m, 12h or 7d" in result.stderr


def test_without_any_key_it_says_where_keys_come_from(tmp_path: Path) -> None:
    result = call("token", "admin", "--data", str(tmp_path))

    assert result.exit_code == 1
    assert "`orderflow up` makes them" in result.stderr


def test_nobody_can_sign_as_a_service(tmp_path: Path) -> None:
    assert call("token", "service", "--data", str(tmp_path)).exit_code == 2


def test_a_services_key_cannot_make_an_admin(tmp_path: Path) -> None:
    keys = Folder(tmp_path).keys(["sales"])
    signer = Signer(json.dumps(keys.services["sales"]))

    assert KeyRing(keys.trusted).verify(signer.token("sales", ["service"], "product"), "product").is_service
    with pytest.raises(Unauthenticated):
        KeyRing(keys.trusted).verify(signer.token("sales", ["admin"], "product"), "product")


def test_keys_stay_the_same_and_a_service_that_comes_later_gets_its_own(tmp_path: Path) -> None:
    first = Folder(tmp_path).keys(["sales"])

    later = Folder(tmp_path).keys(["sales", "product"])

    assert (later.people, later.services["sales"], later.carrier_secret, later.mail_secret) == (
        first.people,
        first.services["sales"],
        first.carrier_secret,
        first.mail_secret,
    )
    assert set(later.services) == {"sales", "product"}
    assert Folder(tmp_path).keys(["sales", "product"]) == later


def test_a_folder_from_before_there_was_a_mail_secret_gets_one_and_keeps_it(tmp_path: Path) -> None:
    made = Folder(tmp_path).keys(["sales"]).model_dump()
    old = {name: value for name, value in made.items() if name != "mail_secret"}
    (tmp_path / "keys.json").write_text(json.dumps(old))

    call("token", "admin", "--data", str(tmp_path))
    whoever_only_reads = json.loads((tmp_path / "keys.json").read_text())
    first, again = Folder(tmp_path).keys(["sales"]), Folder(tmp_path).keys(["sales"])

    assert whoever_only_reads == old
    assert first == again == Folder(tmp_path).keys()
    assert len(first.mail_secret) >= 32
    assert {**first.model_dump(), "mail_secret": made["mail_secret"]} == made


def test_only_public_halves_are_given_away(tmp_path: Path) -> None:
    keys = Folder(tmp_path).keys(["sales", "product"])

    assert [jwk["kid"] for jwk in json.loads(keys.trusted)["keys"]] == ["people", "sales", "product"]
    assert not any("d" in jwk for jwk in json.loads(keys.trusted)["keys"])


def test_damaged_keys_are_reported_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")

    result = call("token", "admin", "--data", str(tmp_path))

    assert result.exit_code == 1
    assert "keys.json is damaged" in result.stderr
    assert (tmp_path / "keys.json").read_text() == "{"


def test_a_new_set_of_keys_is_an_environment_that_every_service_can_start_from(tmp_path: Path) -> None:
    file = tmp_path / "platform.env"

    assert call("keys", str(file)).exit_code == 0

    shown = subprocess.run(["bash", "-euc", f"set -a; . {file}; env -0"], capture_output=True, text=True, check=True)
    environment = dict(line.split("=", 1) for line in shown.stdout.split("\0") if line)
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert environment["DELIVERY_CARRIER_SECRET"].startswith("whsec_")
    for service in fleet.NAMES:
        signer = Signer(environment[f"{service.upper()}_SIGNING_KEY"])
        ring = KeyRing(environment[f"{service.upper()}_TRUSTED_KEYS"])
        assert ring.verify(signer.token(service, ["service"], "product"), "product").is_service
        assert ring.verify(Signer(environment["SALES_ACCOUNTS__LOGIN_KEY"]).token("grace", ["admin"]), service).is_admin


def test_a_file_that_exists_is_not_replaced_by_keys(tmp_path: Path) -> None:
    file = tmp_path / "platform.env"
    file.write_text("precious")

    result = call("keys", str(file))

    assert result.exit_code == 1
    assert result.stderr == f"orderflow: {file} cannot be written: File exists.\n"
    assert file.read_text() == "precious"

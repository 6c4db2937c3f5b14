"""`orderflow rotate`: the key of people's tokens is exchanged, and on the way no token is refused that was good."""

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from chassis.errors import Unauthenticated
from chassis.keys import KeyRing, Signer
from orderflow import fleet

from .factories import call
from .test_keys import as_a_shell_reads

STEPS = ("trust", "sign", "forget")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "platform.env"
    assert call("keys", "--demo", str(path)).exit_code == 0
    return path


def environment(file: Path) -> dict[str, str]:
    return as_a_shell_reads(file.read_text(), file.parent)


def rotated(file: Path) -> list[dict[str, str]]:
    """What stands in the file at first, and after each step."""
    stages = [environment(file)]
    for step in STEPS:
        result = call("rotate", step, str(file))
        assert result.exit_code == 0, result.output
        stages.append(environment(file))
    return stages


def token(stage: Mapping[str, str]) -> str:
    return Signer(stage["SALES_ACCOUNTS__LOGIN_KEY"]).token("ada", ["customer"])


def believed(token: str, stage: Mapping[str, str]) -> set[str]:
    """By which services."""
    by: set[str] = set()
    for name in fleet.NAMES:
        try:
            KeyRing(stage[f"{name.upper()}_TRUSTED_KEYS"]).verify(token, name)
            by.add(name)
        except Unauthenticated:
            pass
    return by


def test_before_and_after_each_step_everybody_believes_everybody(file: Path) -> None:
    stages = rotated(file)

    for before, after in pairwise(stages):
        for signing in (before, after):
            for checking in (before, after):
                assert believed(token(signing), checking) == set(fleet.NAMES)


def test_a_token_of_the_old_key_is_good_until_it_is_forgotten(file: Path) -> None:
    old = token(environment(file))

    stages = rotated(file)

    assert [believed(old, stage) for stage in stages] == [set(fleet.NAMES)] * 3 + [set()]
    assert token(stages[1]).split(".")[0] == old.split(".")[0]
    assert token(stages[2]).split(".")[0] == token(stages[3]).split(".")[0] != old.split(".")[0]


def test_in_the_end_there_is_one_key_and_it_is_another(file: Path) -> None:
    first, _, signing, last = rotated(file)

    old, new = (json.loads(stage["SALES_ACCOUNTS__LOGIN_KEY"]) for stage in (first, last))
    trusted = json.loads(last["PRODUCT_TRUSTED_KEYS"])["keys"]
    assert all(stage["SALES_ACCOUNTS__LOGIN_KEY"].count(new["d"]) == 1 for stage in (signing, last))
    assert not any(new["d"] in value for name, value in signing.items() if name != "SALES_ACCOUNTS__LOGIN_KEY")
    assert old["d"] not in file.read_text()
    assert old["kid"] != new["kid"]
    assert old["x"] != new["x"]
    assert [key["kid"] for key in trusted if "service" not in key["roles"]] == [new["kid"]]
    assert not any("d" in key for key in trusted)


def test_services_go_on_believing_each_other(file: Path) -> None:
    for stage in rotated(file):
        sales = Signer(stage["SALES_SIGNING_KEY"]).token("sales", ["service"], "product")
        assert KeyRing(stage["PRODUCT_TRUSTED_KEYS"]).verify(sales, "product").is_service


def test_all_else_in_the_file_stays_as_it_is(file: Path) -> None:
    file.write_text("# Ours\nexport LOG_LEVEL=DEBUG\n\n" + file.read_text())
    file.chmod(0o640)

    before, *_, after = rotated(file)

    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"SALES_ACCOUNTS__LOGIN_KEY", *(f"{name.upper()}_TRUSTED_KEYS" for name in fleet.NAMES)}
    assert file.read_text().startswith("# Ours\nexport LOG_LEVEL=DEBUG\n\n")
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_waits_is_told_to_no_service(file: Path) -> None:
    call("rotate", "trust", str(file))

    made = environment(file)

    [new] = {name for name in made if name.endswith("LOGIN_KEY")} - {"SALES_ACCOUNTS__LOGIN_KEY"}
    assert not new.startswith(tuple(f"{name.upper()}_" for name in fleet.NAMES))
    assert json.loads(made[new])["kid"] in made["SALES_TRUSTED_KEYS"]


def test_a_rotation_can_be_given_up(file: Path) -> None:
    before = environment(file)
    call("rotate", "trust", str(file))

    assert call("rotate", "forget", str(file)).exit_code == 0

    assert environment(file) == before


def test_steps_out_of_order_are_refused_and_change_nothing(file: Path) -> None:
    early = call("rotate", "sign", str(file))
    call("rotate", "trust", str(file))
    before = file.read_text()
    twice = call("rotate", "trust", str(file))

    assert (early.exit_code, twice.exit_code) == (1, 1)
    assert "There is no new key" in early.stderr
    assert "A new key waits" in twice.stderr
    assert file.read_text() == before


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("LOG_LEVEL=INFO\n", "is not the environment of a platform"),
        ("SALES_TRUSTED_KEYS='{\"keys\": []}'\n", "is not the environment of a platform"),
        (
            "SALES_TRUSTED_KEYS='oops'\nSALES_ACCOUNTS__LOGIN_KEY='hush'\nORDERFLOW_NEXT_LOGIN_KEY='hush'\n",
            "in the form that `orderflow keys` writes",
        ),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_and_left_alone(
    tmp_path: Path, step: str, content: str | None, words: str
) -> None:
    file = tmp_path / "other.env"
    if content is not None:
        file.write_text(content)

    result = call("rotate", step, str(file))

    assert result.exit_code == 1
    assert words in result.stderr or "A new key waits" in result.stderr
    assert "hush" not in result.stderr
    assert content is None or file.read_text() == content

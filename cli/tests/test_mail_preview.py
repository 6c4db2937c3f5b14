"""`orderflow mail preview`: what messages look like, seen by whoever words them, without anything that runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from notification.messages.catalogue import MESSAGES

from .factories import call, ran


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_can_be_seen_in_every_language(name: str) -> None:
    english, german = call("mail", "preview", name), call("mail", "preview", name, "--language", "de")

    assert (english.exit_code, german.exit_code) == (0, 0)
    assert english.stdout.startswith("Subject: ")
    assert "\n\nHello" in english.stdout
    assert "Guten Tag" in german.stdout


def test_all_are_listed_with_whom_they_go_to_and_whether_they_can_be_turned_off() -> None:
    lines = call("mail", "preview", "--list").stdout.splitlines()

    assert [line.split()[0] for line in lines] == list(MESSAGES)
    assert "out_of_stock        to operations, essential" in lines
    assert "order_shipped       to customer, can be turned off: order_progress" in lines


def test_one_form_only_is_as_it_is() -> None:
    text, html = call("mail", "preview", "back_in_stock", "--text"), call("mail", "preview", "back_in_stock", "--html")

    assert text.stdout.startswith("Hello Ada Example,\n")
    assert html.stdout.startswith("<!doctype html>")
    assert html.stdout.rstrip().endswith("</html>")


def test_it_can_be_written_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mail.html"

    result = call("mail", "preview", "verification", "--html", "--to", str(file))

    assert (result.exit_code, result.stdout) == (0, "")
    assert file.read_text().startswith("<!doctype html>")


async def test_it_can_be_opened_in_the_browser(tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)

    result = await ran(
        "mail", "preview", "verification", "--open", "--to", "mail.html",
        folder=tmp_path, environment={"BROWSER": str(browser)},
    )  # fmt: skip

    assert result.returncode == 0
    assert opened.read_text().strip() == (tmp_path / "mail.html").as_uri()
    assert (tmp_path / "mail.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--list"),
        (["horoscope"], "'horoscope'"),
        (["verification", "--language", "fr"], "fr"),
    ],
)
def test_what_is_asked_wrongly_is_said(arguments: list[str], said: str) -> None:
    result = call("mail", "preview", *arguments)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    result = call("mail", "preview", "verification", "--to", str(tmp_path))

    assert (result.exit_code, "cannot be written" in result.stderr) == (1, True)


def _without_notification(*arguments: str) -> "subprocess.CompletedProcess[str]":
    code = (
        "import sys; from importlib.machinery import PathFinder\n"
        "class Gone(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        return None if name.partition('.')[0] == 'notification' else super().find_spec(name, path, target)\n"
        "sys.meta_path = [Gone if finder is PathFinder else finder for finder in sys.meta_path\n"
        "                 if not getattr(finder, '__module__', '').startswith('__editable__')]\n"
        "sys.modules.pop('notification', None)\n"
        "from orderflow.main import app; app(sys.argv[1:], prog_name='orderflow')"
    )
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_where_notification_is_not_installed_it_is_not_offered() -> None:
    shown, asked = _without_notification("mail", "--help"), _without_notification("mail", "preview", "verification")

    assert " list " in shown.stdout
    assert " preview " not in shown.stdout
    assert (asked.returncode, "where Notification is installed" in asked.stderr) == (1, True)

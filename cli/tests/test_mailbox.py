"""What `orderflow demo` finds in the folder of mails."""

import os
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from orderflow.mailbox import mails_about

NOW = datetime.now(UTC)


def written(folder: Path, name: str, subject: str, text: str, at: datetime = NOW) -> None:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail.set_content(text)
    mail.add_alternative(f"<p>{text}</p>", subtype="html")
    file = folder / name
    file.write_bytes(mail.as_bytes())
    os.utime(file, (at.timestamp(), at.timestamp()))


def test_the_mails_about_an_order_are_found_the_oldest_first(tmp_path: Path) -> None:
    written(tmp_path, "b.eml", "Received", "Order number: o-1", NOW)
    written(tmp_path, "a.eml", "On its way", "Order number: o-1", NOW + timedelta(seconds=2))
    written(tmp_path, "c.eml", "Received", "Order number: o-2", NOW)

    found = mails_about("o-1", tmp_path, NOW)

    assert [mail.subject for mail in found] == ["Received", "On its way"]
    assert found[0].at == NOW


def test_what_is_older_than_the_order_or_not_written_to_its_end_is_not_about_it(tmp_path: Path) -> None:
    written(tmp_path, "old.eml", "Received", "Order number: o-1", NOW - timedelta(minutes=1))
    written(tmp_path, ".half.eml.new", "Received", "Order number: o-1", NOW)

    assert mails_about("o-1", tmp_path, NOW) == []


def test_where_no_mail_was_written_yet_there_is_none(tmp_path: Path) -> None:
    assert mails_about("o-1", tmp_path / "mail", NOW) == []

"""What has come to an address: as people read it, without ever being told that it has come."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.harness.platform import until

from .stack import Stack

_WITHIN = 60.0
_CODE = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[\w-]{43}(?![\w-])")


class Mailbox:
    def __init__(self, stack: Stack, address: str) -> None:
        self._stack = stack
        self.address = address

    def mails(self) -> list[EmailMessage]:
        """The oldest first."""
        read = [message_from_bytes(mail, policy=policy.default) for mail in self._stack.mails()]
        return [mail for mail in read if self.address in [each.addr_spec for each in mail["To"].addresses]]

    def subjects(self, about: str = "") -> list[str]:
        return [subject for subject in map(_subject, self.mails()) if about in subject]

    async def gets(self, subject: str) -> str:
        """The text of the one mail with this subject, as soon as it is there."""

        async def has_come() -> bool:
            return subject in self.subjects()

        await until(has_come, _WITHIN, every=0.3)
        [mail] = [mail for mail in self.mails() if _subject(mail) == subject]
        return text_of(mail)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _subject(mail: EmailMessage) -> str:
    # A long one begins on the next line, which readers do not see.
    return str(mail["Subject"]).strip()


def code_in(text: str) -> str:
    """That which the mail asks its reader to enter; the link holds the same."""
    codes: set[str] = set(_CODE.findall(text))
    [code] = codes
    return code

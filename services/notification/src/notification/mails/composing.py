"""Makes the mail that leaves of what it says and to whom: nothing in a name or an address gets into another header."""

import hashlib
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from typing import Final

from pydantic import TypeAdapter, ValidationError

from contracts.sales.customers import Email
from notification.customers.addressees import Addressee
from notification.messages.rendering import Rendered

from .model import Mail
from .transport import Composed

_EMAIL: Final = TypeAdapter(Email)
# Controls, halves of surrogate pairs, line and paragraph separators; and what turns the direction of writing around.
_UNFIT: Final = {"Cc", "Cs", "Zl", "Zp"}
_TURNING: Final = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LONGEST_LINE: Final = 998
_AS_IT_IS: Final = SMTP.clone(refold_source="none")
_OURS: Final = frozenset({"from", "to", "cc", "bcc", "subject", "date", "message-id", "auto-submitted", "mime-version"})


class Uncomposable(Exception):
    """An address, a name or a header is none that may stand in a mail. Says which kind of thing, never what it is."""


class Composing:
    def __init__(self, sender: Address) -> None:
        self._sender = sender

    def compose(self, mail: Mail, addressees: Sequence[Addressee], said: Rendered, now: datetime) -> Composed:
        recipients = [_address(each) for each in addressees]
        bare = [Address(addr_spec=each.addr_spec) for each in recipients]
        message_id = self.message_id(mail)
        try:
            # A name is not worth a mail: without it, if there is one that others would read as something else.
            content = self._written(recipients, message_id, said, now) or self._written(bare, message_id, said, now)
        except (ValueError, LookupError, MessageError) as error:
            # Their words may quote what was wrong.
            raise Uncomposable(f"Some header cannot be written: {type(error).__name__}.") from None
        if content is None:
            raise Uncomposable("Others would read other headers than were meant.")
        return Composed(mail.id, message_id, self._sender.addr_spec, [each.addr_spec for each in bare], content)

    def _written(self, to: Sequence[Address], message_id: str, said: Rendered, now: datetime) -> bytes | None:
        message = EmailMessage(policy=_AS_IT_IS)
        message["From"] = self._sender
        message["To"] = to
        message["Subject"] = _line("subject", said.subject)
        message["Date"] = now
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"
        for name, value in said.headers.items():
            # Set as others are, a long link would be encoded, and no mail program would know it for one any more.
            message.set_raw(_header_name(name), _line("header", value))
        message.set_content(said.text, subtype="plain", charset="utf-8", cte="quoted-printable")
        message.add_alternative(said.html, subtype="html", charset="utf-8", cte="quoted-printable")
        content = message.as_bytes()
        return content if _reads_as_meant(content, message, to, said.subject) else None

    def message_id(self, mail: Mail) -> str:
        """The same in every try and every replica, so that whoever gets two copies can tell; it tells nothing else."""
        what = "\n".join((mail.event_id, mail.message, mail.recipient))
        return f"<{hashlib.sha256(what.encode()).hexdigest()[:40]}@{self._sender.domain}>"


def _address(addressee: Addressee) -> Address:
    try:
        email = _EMAIL.validate_python(addressee.email)
    except ValidationError:
        raise Uncomposable("The address is none that mail can be sent to.") from None
    return Address(display_name=_line("name", addressee.name.strip()), addr_spec=email)


def _line(what: str, words: str) -> str:
    if any(unicodedata.category(letter) in _UNFIT or letter in _TURNING for letter in words):
        raise Uncomposable(f"A {what} holds line breaks or other control characters.")
    if len(words) > _LONGEST_LINE:
        raise Uncomposable(f"A {what} is too long.")
    return words


def _header_name(name: str) -> str:
    if name.lower() in _OURS or not name.replace("-", "").isalnum() or not name.isascii():
        raise Uncomposable("A header has a name that it must not have.")
    return name


def _reads_as_meant(content: bytes, meant: EmailMessage, to: Sequence[Address], subject: str) -> bool:
    """How long headers are folded has let others in before."""
    try:
        read: EmailMessage = BytesParser(policy=SMTP).parsebytes(content, headersonly=True)
        addresses = [(_squeezed(each.display_name), each.addr_spec) for each in read["To"].addresses]
        return (
            addresses == [(_squeezed(each.display_name), each.addr_spec) for each in to]
            and read.keys() == meant.keys()
            and _squeezed(read["Subject"]) == _squeezed(subject)
        )
    except (AttributeError, IndexError, TypeError):
        # The parser itself trips over some.
        return False


def _squeezed(words: str) -> str:
    return "".join(words.split())

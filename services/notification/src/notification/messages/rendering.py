"""Makes a mail's words of what it is about: subject, text and HTML, in the addressee's language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any, Final, Protocol
from uuid import UUID

from pydantic import SecretStr

from contracts.mail_tokens import MailPurpose, mail_token
from notification.customers.addressees import Addressee
from notification.settings import LinkSettings

from .catalogue import MESSAGES
from .forms import compiled
from .links import Links
from .message import Audience, Message
from .wording import fit, greeted, known

_LONGEST_SUBJECT: Final = 200
_GAPS: Final = re.compile(r"\n{3,}")


class Unrenderable(Exception):
    """There is no such message, or it cannot be made of what is known. Says nothing about anybody."""


class NoLongerDue(Exception):
    """What the mail would bring has expired."""


class Letterhead(Protocol):
    """What all mails have in common: a part of the settings."""

    @property
    def mail_secret(self) -> SecretStr: ...

    @property
    def sender(self) -> str: ...

    @property
    def links(self) -> LinkSettings: ...


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Rendering:
    def __init__(self, settings: Letterhead) -> None:
        self._forms = compiled()
        self._links = Links(settings.links, settings.mail_secret)
        self._secret = settings.mail_secret
        self._shop_name = fit(parseaddr(settings.sender)[0]) or "orderflow"

    def render(self, message: str, addressee: Addressee, about: Mapping[str, Any]) -> Rendered:
        """Whatever is wrong with one mail is that one's alone: it raises `Unrenderable`, or `NoLongerDue`."""
        found = MESSAGES.get(message)
        if found is None:
            raise Unrenderable("There is no message of this name.")
        try:
            return self._render(found, addressee, about)
        except (NoLongerDue, Unrenderable):
            raise
        except Exception as error:
            # What the error says may be what the mail says.
            raise Unrenderable(f"{message} cannot be written: {type(error).__name__}.") from None

    def _render(self, message: Message, addressee: Addressee, about: Mapping[str, Any]) -> Rendered:
        if any(about.get(name) is None for name in message.needs):
            raise Unrenderable("Something that it says is not known.")
        language = known(addressee.language)
        unsubscribe = self._unsubscribe_link(message, addressee)
        told: dict[str, Any] = {
            # A mail that was written before its message had to know more says no less than it did.
            **dict.fromkeys(message.says),
            **fit(about),
            "greeting_name": greeted(addressee.name),
            "links": self._links,
            "shop_name": self._shop_name,
            "for_operations": message.audience == Audience.OPERATIONS,
            "unsubscribe_link": unsubscribe,
        }
        if message.token is not None:
            told["token"] = self._token(message.token, about)
        subject = self._forms.subject(message.name, language, told)[:_LONGEST_SUBJECT]
        told["subject"] = subject
        return Rendered(
            subject=subject,
            text=_GAPS.sub("\n\n", self._forms.filled(message.name, "text", language, told)).strip() + "\n",
            html=self._forms.filled(message.name, "html", language, told),
            headers=_unsubscribe_headers(unsubscribe),
        )

    def _token(self, purpose: MailPurpose, about: Mapping[str, Any]) -> str:
        if datetime.fromisoformat(about["expires_at"]) <= datetime.now(UTC):
            raise NoLongerDue("The token has expired.")
        return mail_token(self._secret.get_secret_value(), purpose, UUID(about["token_id"]))

    def _unsubscribe_link(self, message: Message, addressee: Addressee) -> str | None:
        return None if message.topic is None else self._links.unsubscribe(addressee.customer_id, message.topic)


def _unsubscribe_headers(link: str | None) -> dict[str, str]:
    """RFC 8058: mail programs offer a button of their own, which posts to the link."""
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if link else {}

"""What a message is: for whom, whether it can be turned off, and what of an event its mails are made of."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Any

from contracts.envelope import Event
from contracts.mail_tokens import MailPurpose
from contracts.notification.preferences import Topic


class Audience(StrEnum):
    CUSTOMER = "customer"
    OPERATIONS = "operations"


@dataclass(frozen=True, slots=True)
class Message:
    name: str
    action: str
    """As the step of sending it is called in the sequence designs."""
    example: Event
    """Such an event makes a mail of this kind."""
    says: frozenset[str]
    """The fields of the event that the mail is about: never an address, never what a customer wrote."""
    _: KW_ONLY
    audience: Audience = Audience.CUSTOMER
    topic: Topic | None = None
    """Without one it is essential, and comes to everybody."""
    token: MailPurpose | None = None
    """The mail brings a token for this, made when it is sent."""

    def about(self, event: Event) -> dict[str, Any]:
        """What the mail's row keeps of the event: whatever is not known is there, too, as None."""
        return event.model_dump(mode="json", include=set(self.says))

    @property
    def needs(self) -> frozenset[str]:
        """What such events always say."""
        fields = type(self.example).model_fields
        return frozenset(name for name in self.says if fields[name].is_required())

    @property
    def is_essential(self) -> bool:
        return self.topic is None

    @property
    def sample(self) -> Mapping[str, Any]:
        return self.about(self.example)

"""What Notification can be told from outside."""

from datetime import timedelta
from email.headerregistry import Address
from email.policy import SMTP
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    model_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from chassis.retention import KEEP_HANDLED
from chassis.settings import ServiceSettings
from contracts.sales.customers import Email, PersonName

Positive = Annotated[timedelta, Field(gt=timedelta(0))]
Url = Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=500)]


def _separated(given: Any) -> Any:
    return given.replace(",", " ").split() if isinstance(given, str) else given


Emails = Annotated[tuple[Email, ...], NoDecode, BeforeValidator(_separated)]
"""With commas or spaces between them."""


def _one_address(sender: str) -> str:
    read_address(sender)
    return sender


Sender = Annotated[str, AfterValidator(_one_address)]
"""`Name <address>`, or the address alone."""


class SmtpSettings(BaseModel):
    model_config = ConfigDict(frozen=True)

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    """Who vouches for the server, if it is nobody whom the system believes."""
    greeting_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")] | None = None
    """As whom we say EHLO; otherwise it is the sender's domain."""
    timeout: Positive = timedelta(seconds=10)
    """For each step of the conversation with the server; a mail as a whole may take six times as long."""
    connections: Annotated[int, Field(ge=1, le=50)] = 4

    @model_validator(mode="after")
    def _secrets_stay_secret(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("to log in takes a username and a password")
        if self.username is not None and self.tls == "none":
            raise ValueError("a password is not sent without encryption")
        return self


class RetrySettings(BaseModel):
    """A mail that could not be sent is tried again after each of these; after the last it is FAILED, for people."""

    model_config = ConfigDict(frozen=True)

    quick: Annotated[tuple[Positive, ...], Field(min_length=1)] = (timedelta(seconds=2), timedelta(seconds=10))
    later: tuple[Positive, ...] = (
        timedelta(minutes=1),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=4),
        timedelta(hours=12),
        timedelta(days=1),
    )


class LinkSettings(BaseModel):
    """Links stand on these, never on what a request says of its host."""

    model_config = ConfigDict(frozen=True)

    shop: Url = "http://localhost:8000"
    """Where the pages of the shop are: orders, and the forms for tokens."""
    api: Url = "http://localhost:8004"
    """Where mail programs reach this service, to unsubscribe."""


class NotificationSettings(ServiceSettings):
    model_config = SettingsConfigDict(
        env_prefix="NOTIFICATION_", env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    mail_secret: SecretStr
    """Shared with Sales: the tokens in mails are made of it, and so are nowhere stored."""
    sender: Sender = "orderflow <orders@example.org>"
    operations: Emails = ()
    """Who is told what needs people: out of stock, failed captures, unmatched tracking."""
    smtp: SmtpSettings | None = None
    folder: Path | None = None
    """Instead of SMTP: mails are written there, a file each."""
    retry: RetrySettings = RetrySettings()
    keep: Annotated[timedelta, Field(ge=KEEP_HANDLED)] = timedelta(days=90)
    """For so long mails are remembered that were sent, or not wanted. While an event can be told again its mail must be
    known: what was heard is remembered for 30 days, and what a dead-letter queue holds may come back later still."""
    links: LinkSettings = LinkSettings()

    @property
    def from_address(self) -> Address:
        return read_address(self.sender)

    @model_validator(mode="after")
    def _one_way_out(self) -> Self:
        if (self.smtp is None) == (self.folder is None):
            raise ValueError("mails go out by SMTP (smtp) or into a folder (folder): one of them has to be named")
        return self


def read_address(sender: str) -> Address:
    header = SMTP.header_factory("From", sender)
    if header.defects or len(header.addresses) != 1:
        raise ValueError("must be one address, with or without a name")
    [address] = header.addresses
    name = TypeAdapter(PersonName).validate_python(address.display_name) if address.display_name else ""
    return Address(display_name=name, addr_spec=TypeAdapter(Email).validate_python(address.addr_spec))

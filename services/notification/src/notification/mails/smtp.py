"""Mails by SMTP: over a few kept connections, encrypted, to a server that has shown who it is; no step waits long."""

import asyncio
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from notification.settings import SmtpSettings

from .transport import Composed, Interrupted, NotNow, Rejected, ServerAway, in_their_words

# Servers close what is idle for some minutes: a connection that they have closed is found out at the next mail only.
_MOST_IDLE: Final = 30.0
_MOST_MAILS: Final = 100
_CLOSING: Final = 421
_FOR_GOOD: Final = 500
# The server wants something of us, whatever the mail: to log in, to encrypt.
_ABOUT_US: Final = {454, 530, 534, 535, 538}


@dataclass(slots=True)
class _Connection:
    client: SMTP
    mails: int = 0
    used_at: float = 0.0

    @property
    def is_fresh(self) -> bool:
        return self.mails == 0

    @property
    def is_fit(self) -> bool:
        recently = time.monotonic() - self.used_at < _MOST_IDLE
        return self.client.is_connected and recently and self.mails < _MOST_MAILS


class SmtpTransport:
    def __init__(self, settings: SmtpSettings, greeting_name: str) -> None:
        self._settings = settings
        self._greeting_name = greeting_name
        self._tls = _verifying(settings) if settings.tls != "none" else None
        self._idle: list[_Connection] = []
        self.connections = settings.connections
        self.longest = settings.timeout * 6

    async def send(self, mail: Composed) -> None:
        try:
            async with asyncio.timeout(self.longest.total_seconds()):
                connection = await self._begin(mail)
                await self._finish(connection, mail)
        except TimeoutError:
            raise Interrupted("The mail server did not answer in time.") from None

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*map(_say_goodbye, idle))

    async def _begin(self, mail: Composed) -> _Connection:
        """Up to where the server knows that a mail comes: until then a kept connection may turn out to be gone."""
        connection = await self._reach()
        while True:
            try:
                with _closed_unless_well(connection):
                    await connection.client.mail(mail.sender)
            except (SMTPException, OSError) as error:
                if connection.is_fresh:
                    raise ServerAway(_why(error, [mail.sender])) from None
                connection = await self._connect()
            else:
                return connection

    async def _finish(self, connection: _Connection, mail: Composed) -> None:
        client = connection.client
        try:
            with _closed_unless_well(connection):
                await _name_recipients(client, mail.recipients)
                await client.data(mail.content)
        except (SMTPRecipientRefused, SMTPDataError) as error:
            raise await self._refused(connection, error, mail) from None
        except (SMTPException, OSError) as error:
            raise Interrupted(_why(error, mail.recipients)) from None
        self._keep(connection)

    async def _refused(
        self, connection: _Connection, error: SMTPRecipientRefused | SMTPDataError, mail: Composed
    ) -> Exception:
        """The server goes on with other mails, if it lets go of this one."""
        try:
            with _closed_unless_well(connection):
                await connection.client.rset()
            self._keep(connection)
        except (SMTPException, OSError):
            pass
        words = _why(error, mail.recipients)
        if error.code == _CLOSING or error.code in _ABOUT_US:
            return ServerAway(words)
        return Rejected(words) if error.code >= _FOR_GOOD else NotNow(words)

    async def _reach(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fit:
                return connection
            await _say_goodbye(connection)
        return await self._connect()

    async def _connect(self) -> _Connection:
        settings = self._settings
        client = SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=self._greeting_name,
            timeout=settings.timeout.total_seconds(),
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            tls_context=self._tls,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
        )
        try:
            await client.connect()
        except (SMTPException, OSError, UnicodeError) as error:
            raise ServerAway(_why(error)) from None
        return _Connection(client)

    def _keep(self, connection: _Connection) -> None:
        connection.mails += 1
        connection.used_at = time.monotonic()
        self._idle.append(connection)


async def _name_recipients(client: SMTP, recipients: Sequence[str]) -> None:
    """It goes to those that the server takes; if it takes none, what it wants later outweighs what it never wants."""
    refusals = []
    for recipient in recipients:
        try:
            await client.rcpt(recipient)
        except SMTPRecipientRefused as refusal:
            refusals.append(refusal)
            if refusal.code == _CLOSING:
                break
    if len(refusals) == len(recipients) or any(refusal.code == _CLOSING for refusal in refusals):
        raise min(refusals, key=lambda refusal: refusal.code)


@contextmanager
def _closed_unless_well(connection: _Connection) -> Iterator[None]:
    """A conversation that broke off cannot be taken up again; a refusal is part of it."""
    try:
        yield
    except (SMTPRecipientRefused, SMTPDataError):
        raise
    except BaseException:
        connection.client.close()
        raise


async def _say_goodbye(connection: _Connection) -> None:
    try:
        if connection.client.is_connected:
            await connection.client.quit(timeout=timedelta(seconds=1).total_seconds())
    except (SMTPException, OSError):
        pass
    finally:
        connection.client.close()


def _verifying(settings: SmtpSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _why(error: Exception, recipients: Sequence[str] = ()) -> str:
    """Only what the server said is quoted: the words of libraries may hold anything."""
    if isinstance(error, SMTPResponseException):
        return in_their_words(error.code, error.message, recipients)
    if isinstance(error.__cause__ or error, ssl.SSLError):
        return "No encrypted connection to the mail server came about."
    if isinstance(error, TimeoutError):
        return "The mail server did not answer in time."
    if isinstance(error, SMTPServerDisconnected):
        return "The mail server closed the connection."
    return "The mail server could not be reached."

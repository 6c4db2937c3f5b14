"""A real mail server for tests, which does as it is told: accepts, refuses, stalls, hangs up, is away, wants TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.harness.listening import stop_listening

USERNAME, PASSWORD = "orderflow", "canary-of-the-mail-server"


class Trick(Enum):
    STALLS = "never answers"
    HANGS_UP = "closes the connection"


Answer = str | Trick


@dataclass
class _Rule:
    stage: str
    answer: Answer
    times: float
    about: str


@dataclass(frozen=True)
class Taken:
    """A mail that the server has said 250 to."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def said(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def message_id(self) -> str:
        return str(self.said["Message-ID"])


@dataclass
class MailServer:
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    login: bool = False
    taken: list[Taken] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Every command that came, by its stage."""
    greeted_as: list[str] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Has one permit more for each mail that was taken."""
    tricked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Has one permit more for each time that the server did as it was told."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: it lets whoever has sent a mail wait for the answer."""
    port: int = 0
    _rules: list[_Rule] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _sessions: set["_Conversation"] = field(default_factory=set)

    def says(self, stage: str, answer: Answer, *, times: float = float("inf"), about: str = "") -> None:
        """At CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, BODY or RSET, so often, if `about` is in the command."""
        self._rules.append(_Rule(stage, answer, times, about))

    def is_well(self) -> None:
        self._rules.clear()

    def answer_to(self, stage: str, argument: str) -> Answer | None:
        self.asked.append(stage)
        for rule in self._rules:
            if rule.stage == stage and rule.about in argument and rule.times > 0:
                rule.times -= 1
                self.tricked.release()
                return rule.answer
        return None

    async def start(self) -> None:
        """At the same port as before."""
        loop = asyncio.get_running_loop()
        context = self.tls if self.implicit else None
        self._server = await loop.create_server(lambda: _Conversation(self), "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Away: connections are refused, those that there are break."""
        if self._server is not None:
            await stop_listening(self._server)
            self.hang_up()
            await self._server.wait_closed()
            self._server = None

    def hang_up(self) -> None:
        for session in list(self._sessions):
            session.abort()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["MailServer"]:
        self.open.set()
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def keep(self, envelope: Envelope) -> str:
        taken = Taken(envelope.mail_from or "", list(envelope.rcpt_tos), envelope.original_content or b"")
        self.taken.append(taken)
        self.arrived.release()
        await self.open.wait()
        return "250 2.0.0 Kept"


class _Conversation(SMTP):
    def __init__(self, server: MailServer) -> None:
        self._script = server
        more: dict[str, Any] = {}
        if server.tls is not None and not server.implicit:
            more = {"tls_context": server.tls, "require_starttls": True}
        if server.login:
            more |= {"authenticator": _may_enter, "auth_required": True, "auth_require_tls": server.tls is not None}
        super().__init__(_Keeping(server), hostname="mail.test", loop=asyncio.get_running_loop(), **more)
        if server.implicit:
            self._tls_handshake_okay = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self not in self._script._sessions:
            self._script._sessions.add(self)
            self._script.connections += 1
            self._script.at_once += 1
            self._script.most_at_once = max(self._script.most_at_once, self._script.at_once)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._script._sessions:
            self._script._sessions.discard(self)
            self._script.at_once -= 1
        super().connection_lost(error)

    def abort(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def _handle_client(self) -> None:
        if await self._plays("CONNECT", ""):
            self.abort()
            return
        await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 (aiosmtpd's name)
        self._script.greeted_as.append(hostname)
        if not await self._plays("EHLO", hostname):
            await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        # What is tried after a refused EHLO.
        if not await self._plays("EHLO", hostname):
            await super().smtp_HELO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        if not await self._plays("STARTTLS", ""):
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        if not await self._plays("AUTH", ""):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        if not await self._plays("MAIL", arg or ""):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        if not await self._plays("RCPT", arg or ""):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if not await self._plays("DATA", " ".join(self.envelope.rcpt_tos if self.envelope else ())):
            await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802
        if not await self._plays("RSET", ""):
            await super().smtp_RSET(arg)

    async def _plays(self, stage: str, argument: str) -> bool:
        answer = self._script.answer_to(stage, argument)
        if isinstance(answer, str):
            await self.push(answer)
        elif answer is not None:
            await perform(answer, self)
        return answer is not None


class _Keeping:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_DATA(self, server: _Conversation, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self._server.answer_to("BODY", " ".join(envelope.rcpt_tos))
        if isinstance(answer, Trick):
            await perform(answer, server)
        return answer if isinstance(answer, str) else await self._server.keep(envelope)


async def perform(trick: Trick, conversation: _Conversation) -> None:
    if trick is Trick.HANGS_UP:
        conversation.abort()
    # Ended by the end of the connection.
    await asyncio.Event().wait()


def _may_enter(_: object, __: object, ___: object, ____: str, given: LoginPassword) -> AuthResult:
    is_right = (given.login.decode(), given.password.decode()) == (USERNAME, PASSWORD)
    return AuthResult(success=is_right, handled=False)


@dataclass(frozen=True)
class Certificate:
    """Self-made, for 127.0.0.1 unless `name` says whose it is."""

    file: Path
    server: ssl.SSLContext


def a_certificate(folder: Path, name: str = "127.0.0.1") -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    alternative = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, private = folder / "mail-server.pem", folder / "mail-server.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, private)
    return Certificate(file, context)

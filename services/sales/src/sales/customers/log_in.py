"""Logging in with e-mail and password, going on with a refresh token, and logging out.

The journey has three parts, so that nobody keeps a connection while a password is compared: the attempt is counted,
the password compared, the session started, if the account is still as it was.
"""

from typing import Final

from chassis.db import Database
from chassis.errors import Unauthenticated
from chassis.keys import Signer
from chassis.telemetry import logger
from contracts.sales.customers import LogIn, RefreshToken, SessionView
from sales.carts.commands import merge_guest_cart
from sales.settings import AccountSettings

from .accounts import account_of, account_with
from .known_addresses import is_known, remember
from .model import Customer
from .passwords import Passwords
from .sessions import Refresh, SessionEnded, end_session, renew, start_session
from .slowdown import Gate, log_in_gates, pass_through, take_back

ROLE: Final = "customer"

log = logger("log_in")


class InvalidCredentials(Unauthenticated):
    code = "INVALID_CREDENTIALS"

    def __init__(self) -> None:
        super().__init__("There is no account with this e-mail and password.")


class LogIns:
    def __init__(self, database: Database, passwords: Passwords, settings: AccountSettings) -> None:
        self._database = database
        self._passwords = passwords
        self._signer = Signer(settings.login_key.get_secret_value())
        self._access_lives = settings.access_lives
        self._refresh_lives = settings.refresh_lives

    async def log_in(self, wanted: LogIn, address: str) -> SessionView:
        customer, gates = await self._attempt(wanted.email, address)
        matches = await self._passwords.matches(wanted.password, customer.password_hash if customer else None)
        if customer is None or not matches:
            log.info("log_in_refused", customer_id=customer.id if customer else None)
            raise InvalidCredentials
        refresh = await self._start(customer, wanted, gates, address)
        log.info("logged_in", customer_id=customer.id)
        return self._view(refresh)

    async def renew(self, wanted: RefreshToken) -> SessionView:
        async with self._database.begin() as session:
            refresh = await renew(session, wanted.refresh_token, self._refresh_lives)
        if refresh is None:
            raise SessionEnded
        return self._view(refresh)

    async def log_out(self, wanted: RefreshToken) -> None:
        async with self._database.begin() as session:
            await end_session(session, wanted.refresh_token)

    async def _attempt(self, email: str, address: str) -> tuple[Customer | None, list[Gate]]:
        async with self._database.begin() as session:
            customer = await account_with(session, email)
            # Looked up for nobody, too: an account that does not exist takes as long.
            known = await is_known(session, customer.id if customer else "", address)
            gates = log_in_gates(email, address, known=known)
            await pass_through(session, gates)
        return customer, gates

    async def _start(self, seen: Customer, wanted: LogIn, gates: list[Gate], address: str) -> Refresh:
        newer = await self._passwords.renewed(wanted.password, seen.password_hash)
        async with self._database.begin() as session:
            customer = await account_of(session, seen.id, lock=True)
            # A password that was changed meanwhile has ended all sessions: this one must not begin after that.
            if customer is None or customer.password_set_at != seen.password_set_at:
                raise InvalidCredentials
            customer.password_hash = newer
            if wanted.cart_token is not None:
                await merge_guest_cart(session, customer.id, wanted.cart_token.get_secret_value())
            await remember(session, customer.id, address)
            await take_back(session, gates)
            return await start_session(session, customer.id, self._refresh_lives)

    def _view(self, refresh: Refresh) -> SessionView:
        return SessionView(
            customer_id=refresh.customer_id,
            access_token=self._signer.token(refresh.customer_id, [ROLE], lives=self._access_lives),
            expires_in=int(self._access_lives.total_seconds()),
            refresh_token=refresh.token,
            refresh_expires_at=refresh.expires_at,
        )

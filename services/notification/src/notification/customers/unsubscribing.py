"""Having no more mails of a topic by a link, without logging in: by the page's button, or the mail program's."""

from fastapi.responses import HTMLResponse
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import Invalid

from . import preferences
from .unsubscribe_page import page
from .unsubscribe_tokens import Unsubscription, read_unsubscribe_token


class InvalidToken(Invalid):
    code = "INVALID_TOKEN"

    def __init__(self) -> None:
        message = "This link was never in a mail of ours, or is not whole."
        super().__init__(message, [{"field": "token", "message": message}])


class Unsubscribing:
    def __init__(self, mail_secret: SecretStr) -> None:
        self._secret = mail_secret

    async def ask(self, session: AsyncSession, token: str) -> HTMLResponse:
        wanted = self._read(token)
        return page(await preferences.language_of(session, wanted.customer_id), wanted.topic, is_done=False)

    async def do(self, session: AsyncSession, token: str) -> HTMLResponse:
        wanted = self._read(token)
        await preferences.unsubscribe(session, wanted)
        return page(await preferences.language_of(session, wanted.customer_id), wanted.topic, is_done=True)

    def _read(self, token: str) -> Unsubscription:
        wanted = read_unsubscribe_token(self._secret.get_secret_value(), token)
        if wanted is None:
            raise InvalidToken
        return wanted

"""Where mails lead to: the pages of the shop, and the way to have no more of them."""

from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from notification.customers.unsubscribe_tokens import unsubscribe_token
from notification.settings import LinkSettings

UNSUBSCRIBE: Final = "/api/v1/unsubscribe"


class Links:
    def __init__(self, settings: LinkSettings, mail_secret: SecretStr) -> None:
        self._shop = settings.shop.rstrip("/")
        self._api = settings.api.rstrip("/")
        self._secret = mail_secret

    def order(self, order_id: str) -> str:
        return f"{self._shop}/orders/{quote(order_id, safe='')}"

    def product(self, product_id: str) -> str:
        return f"{self._shop}/products/{quote(product_id, safe='')}"

    # Behind the #: what stands there reaches no server, no log, and nobody that the page refers to.

    def verification(self, token: str) -> str:
        return f"{self._shop}/verify-email#token={token}"

    def password_reset(self, token: str) -> str:
        return f"{self._shop}/reset-password#token={token}"

    def unsubscribe(self, customer_id: str, topic: str) -> str:
        token = unsubscribe_token(self._secret.get_secret_value(), customer_id, topic)
        return f"{self._api}{UNSUBSCRIBE}?token={token}"

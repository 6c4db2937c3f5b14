"""What Sales can be told from outside."""

from datetime import timedelta

from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class SalesSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SALES_", frozen=True, extra="ignore")

    product_url: str
    product_timeout: timedelta = timedelta(seconds=3)
    undo_attempts_after: timedelta = timedelta(seconds=10)
    """How long an attempt that stopped half-way can be taken up again by a retry before its stock is given back."""
    forget_keys_after: timedelta = timedelta(days=30)

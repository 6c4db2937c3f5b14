"""What Product can be told from outside."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.service import provided
from chassis.settings import ServiceSettings
from contracts.text import Currency


class CatalogueSettings(BaseSettings):
    """What the catalogue's rules need: also for who imports a file, and has none of the service's keys."""

    model_config = SettingsConfigDict(env_prefix="PRODUCT_", frozen=True, extra="ignore")

    currency: Currency = "EUR"
    """Of products that are created without saying one."""
    category_depth: int = Field(default=3, ge=1, le=10)
    """How many categories may stand one under the other."""


class ProductSettings(CatalogueSettings, ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PRODUCT_", env_nested_delimiter="__", frozen=True, extra="ignore")

    catalogue_max_age: timedelta = Field(default=timedelta(seconds=10), ge=timedelta(0))
    """How long anybody may keep a page of the catalogue without asking again."""
    movements_kept: timedelta | None = Field(default=None, ge=timedelta(days=30))
    """After this what has left is one line of each article's ledger, whatever it left for. Unless said, nothing is."""


Settings = Annotated[ProductSettings, Depends(provided(ProductSettings))]

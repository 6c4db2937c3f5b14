"""What Product can be told from outside."""

from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings


class ProductSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PRODUCT_", frozen=True, extra="ignore")

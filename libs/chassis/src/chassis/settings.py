"""What every service can be told from outside; each service adds its own under its own prefix."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .retention import Retention

Role = Literal["all", "api", "worker"]


def _separated(given: Any) -> Any:
    return given.replace(",", " ").split() if isinstance(given, str) else given


Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_separated)]
"""With commas between them; an address is a network of one."""


class ServiceSettings(BaseSettings):
    """Subclasses set `env_prefix`; there is no default for anything secret."""

    model_config = SettingsConfigDict(env_nested_delimiter="__", frozen=True, extra="ignore")

    database_url: SecretStr
    trusted_keys: str
    """Public keys as a JWKS document: whose tokens are believed, and which roles each key may grant."""
    signing_key: SecretStr
    """The service's own private key, a JWK."""
    host: str = "127.0.0.1"
    port: int = 8000
    role: Role = "all"
    trusted_proxies: Networks = ()
    """Whose word it is where a request comes from (X-Forwarded-For): of nobody else is it believed."""
    pool_size: int = Field(default=10, ge=2, le=100)
    retention: Retention = Retention()


class PlatformSettings(BaseSettings):
    """What is the same for every process of a platform."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    rabbitmq_url: SecretStr
    orderflow_env: Literal["production", "demo", "test"] = "production"
    failpoints: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    otlp_endpoint: str | None = None
    trace_sample_ratio: float = Field(default=0.01, ge=0, le=1)
    record_steps: float = Field(default=0, ge=0, le=1)
    """Which share of the traces each service keeps a record of, for `orderflow sequences observe`."""

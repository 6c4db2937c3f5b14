"""What the process is told by its environment, and in plain words what of it is missing or wrong."""

import os
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from chassis import failpoints
from chassis.settings import PlatformSettings

from .failure import USAGE, Failure

S = TypeVar("S", bound=BaseSettings)


def read(kind: type[S], **given: Any) -> S:
    """What is given here goes before the environment."""
    prefix = kind.model_config.get("env_prefix", "")
    try:
        return kind(**given)
    except ValidationError as error:
        wrong = [
            _explain(f"{prefix}{problem['loc'][0]}".upper(), problem["type"], problem["msg"])
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise Failure("\n  ".join(["The environment is not complete:", *wrong]), USAGE) from None


def platform(*, needs_broker: bool) -> PlatformSettings:
    given = {} if needs_broker or "RABBITMQ_URL" in os.environ else {"rabbitmq_url": ""}
    settings = read(PlatformSettings, **given)
    _arm_failpoints(settings)
    return settings


def _arm_failpoints(settings: PlatformSettings) -> None:
    if settings.orderflow_env != "test" and not settings.failpoints:
        return
    try:
        failpoints.arm(settings.orderflow_env, settings.failpoints)
    except (RuntimeError, ValueError) as error:
        raise Failure(f"FAILPOINTS: {error}", USAGE) from error


def _explain(variable: str, kind: str, words: str) -> str:
    return f"{variable} is missing." if kind == "missing" else f"{variable}: {words}."

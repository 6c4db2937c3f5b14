"""What the process is told by its environment, and in plain words what of it is missing or wrong."""

import os
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, SettingsError

from chassis import failpoints
from chassis.settings import PlatformSettings

from .failure import USAGE, Failure, in_short

S = TypeVar("S", bound=BaseSettings)


def read(kind: type[S], **given: Any) -> S:
    """What is given here goes before the environment."""
    try:
        return kind(**given)
    except ValidationError as error:
        wrong = [
            _explain(variable, problem["type"], problem["msg"])
            for problem in error.errors(include_input=False, include_url=False)
            for variable in _variables(kind, problem["loc"], whole=problem["type"] == "missing")
        ]
    except SettingsError as error:
        wrong = [f"{in_short(error)}."]
    raise Failure("\n  ".join(["The environment is not complete:", *wrong]), USAGE)


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


def _variables(kind: type[BaseSettings], at: Sequence[int | str], *, whole: bool) -> list[str]:
    """Nested settings have their own names (SALES_ACCOUNTS__LOGIN_KEY): a whole group is each that it must have."""
    prefix = kind.model_config.get("env_prefix", "")
    if not at:
        # A rule over several of them, which says by itself which these are.
        return [f"{prefix}…"]
    names = [f"{prefix}{'__'.join(map(str, at))}".upper()]
    group = _group_at(kind, at)
    if group is None or not whole:
        return names
    return [f"{names[0]}__{name.upper()}" for name, field in group.model_fields.items() if field.is_required()] or names


def _group_at(kind: type[BaseModel], at: Sequence[int | str]) -> type[BaseModel] | None:
    for name in at:
        field = kind.model_fields.get(str(name))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return None
        kind = field.annotation
    return kind


def _explain(variable: str, kind: str, words: str) -> str:
    return f"{variable} is missing." if kind == "missing" else f"{variable}: {words.removeprefix('Value error, ')}."

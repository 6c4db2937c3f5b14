"""Publishes the keys that people's tokens may be signed with; those of services are known to services alone."""

import json
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from chassis.caching import cacheable
from chassis.service import provided
from contracts.sales.keys import PublicKey, PublicKeys

_KEPT: Final = timedelta(minutes=5)
"""A new key is published so long, and longer, before anything is signed with it."""

router = APIRouter(tags=["keys"])


class PublishedKeys:
    def __init__(self, trusted_keys: str) -> None:
        trusted = json.loads(trusted_keys)["keys"]
        # Only what the view names leaves, whatever stands in the setting.
        self.view = PublicKeys(keys=[PublicKey.model_validate(key) for key in trusted if "service" not in key["roles"]])


@router.get("/.well-known/jwks.json", response_model=None, responses={200: {"model": PublicKeys}, 304: {}})
async def published_keys(
    request: Request, published: Annotated[PublishedKeys, Depends(provided(PublishedKeys))]
) -> Response:
    return cacheable(request, published.view, max_age=_KEPT)

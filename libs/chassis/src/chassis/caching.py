"""Lets whoever has a representation already not be sent it again: an ETag made of its content."""

import hashlib
import re
from datetime import timedelta
from typing import Final

from fastapi import Request, Response
from pydantic import BaseModel

_TAG: Final = re.compile(r'"[^"]*"')


def cacheable(request: Request, view: BaseModel, *, max_age: timedelta, exclude_none: bool = False) -> Response:
    """Only for what is the same for everyone: anybody on the way may keep it for that long."""
    body = view.model_dump_json(exclude_none=exclude_none).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={int(max_age.total_seconds())}"}
    if _has_it(request, tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/json")


def _has_it(request: Request, tag: str) -> bool:
    known = ",".join(request.headers.getlist("if-none-match")).strip()
    # Compared weakly (RFC 9110, 13.1.2), without looking for the W/: a proxy that compresses the body puts it there.
    return known == "*" or tag in _TAG.findall(known)

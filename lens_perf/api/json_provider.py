"""Encodes JSON as the contract requires: compact, with fields in the order given, and without NaN."""

from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider


class OrjsonProvider(JSONProvider):
    """Uses orjson instead of Flask's encoder, which sorts keys and writes NaN."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        """Return ``obj`` as JSON text."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        """Return the value of the JSON text ``s``."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Any:
        """Return a response whose body is the JSON of the arguments."""
        # Messages about a repeated parameter have its positions, which are integers, as keys.
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), option=orjson.OPT_NON_STR_KEYS)
        return Response(body + b"\n", mimetype="application/json")

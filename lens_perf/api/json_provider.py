"""JSON as the contract writes it: fields in the order given, compact, and only what strict JSON can say."""

from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider


class OrjsonProvider(JSONProvider):
    """orjson in the place of Flask's encoder, which sorts keys and lets NaN through."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        """Return ``obj`` as JSON text."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        """Return what the JSON text ``s`` says."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Any:
        """Return a response whose body is the JSON of the arguments."""
        # The messages about a repeated parameter are keyed by position.
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), option=orjson.OPT_NON_STR_KEYS)
        return Response(body + b"\n", mimetype="application/json")

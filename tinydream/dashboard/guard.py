"""Who may ask: a page of another site must reach neither data nor devices."""

import hmac
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard"]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Refuses other names for this machine, other pages, and who has no token.

    The name is looked at because a name that an attacker owns may point to 127.0.0.1 (DNS
    rebinding), the origin because any page may send requests here. What lies below /static holds
    nothing of the run and needs no token.
    """

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self._app, self._token = app, token.encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        why = self._refused(scope)
        answer = PlainTextResponse(why, 403) if why else self._app
        await answer(scope, receive, guarded)

    def _refused(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            return "this page is known by another name\n"
        if not set(headers.getlist("origin")) <= self._origins:
            return "another page may not ask for this\n"
        if not scope["path"].startswith("/static/") and not self._has_token(scope, headers):
            return "the address lacks its token; take the one that `tinydream dashboard` printed\n"
        return ""

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        """Of a request that changes something the token stands in a header."""
        told = headers.get("authorization", "").removeprefix("Bearer ")
        if scope["method"] == "GET":
            told = told or parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(told.encode(), self._token)

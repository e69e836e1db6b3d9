"""The page's server: this machine only, and only for who has the token."""

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tinydream.bridge import Link
from tinydream.dashboard.guard import Guard
from tinydream.dashboard.hub import Hub
from tinydream.errors import InputError
from tinydream.report import stylesheet
from tinydream.run import Run

__all__ = ["serve"]

STATIC = Path(__file__).parent / "static"
PAUSE = 0.25  # seconds between two looks at what is new
ALIVE = 40  # of these without news, after which the browser is told that we are still there
BODY = 10_000  # bytes of a request, at most


def serve(
    run: Run,
    links: Mapping[str, Callable[[], Link]],
    *,
    listen: int = 0,
    on_ready: Callable[[str], object] = print,
) -> None:
    """Serve the page on 127.0.0.1 until interrupted; `on_ready` gets its address with the token.

    listen: a port of this machine, 0 for one that is free. Raises InputError when it is not free.
    """
    with _bound(listen) as door, Hub(run, links) as hub:
        port, token = door.getsockname()[1], secrets.token_urlsafe(18)
        ending = threading.Event()
        app = Guard(_routes(hub, ending), port, token)
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=([door],), name="page", daemon=True)
        thread.start()
        try:
            on_ready(f"http://127.0.0.1:{port}/?token={token}")
            hub.listen()  # here, so that Ctrl-C and errors are the caller's
        finally:
            ending.set()
            server.should_exit = True
            thread.join(5)


def _bound(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError):
        raise InputError(
            f"port {port} of this machine cannot be had; choose another one, or 0 for any"
        ) from None


def _routes(hub: Hub, ending: threading.Event) -> Starlette:
    """ending: streams end, too."""

    async def page(request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def style(request: Request) -> Response:
        return Response(stylesheet(), media_type="text/css")

    async def events(request: Request) -> Response:
        return StreamingResponse(_stream(hub, ending), media_type="text/event-stream")

    async def act(request: Request) -> Response:
        try:
            given = await _json(request)
            hub.act(request.path_params["index"], request.path_params["action"], given)
        except InputError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({}, 202)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/events", events),
            Route("/api/boards/{index:int}/{action}", act, methods=["POST"]),
            Route("/static/style.css", style),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
    )


async def _stream(hub: Hub, ending: threading.Event) -> AsyncIterator[str]:
    """Server-sent events: the defaults of a start, then every board whenever it has changed."""
    known: dict[str, int] = {}
    quiet = 0
    yield _event("knobs", hub.knobs().as_dict())
    while not ending.is_set():
        boards = hub.news(known)
        for board in boards:
            yield _event("board", board)
        quiet = 0 if boards else quiet + 1
        if quiet == ALIVE:
            yield ":\n\n"
            quiet = 0
        await asyncio.sleep(PAUSE)


def _event(name: str, content: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n"


async def _json(request: Request) -> dict[str, Any]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY:
            raise InputError(f"a request has at most {BODY} bytes")
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise InputError("a request is an object of JSON")
    return given

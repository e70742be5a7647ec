"""What a client may ask: how large, how often, how much at once, and for which host.

A guard around the whole application, page and API, so that nothing is read or computed for a request that
is refused. Every refusal is JSON, `{"error": "a sentence"}`.
"""

import logging
from collections.abc import Sequence

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BYTES = 1_000_000  # of a request
TEXTS = 256  # to be rated in a request
EXPLAINED = 16  # to be explained in a request
CHARACTERS = 5_000  # of a text
AT_ONCE = 256  # requests
# What the page needs of a Content-Security-Policy. gradio compiles its templates in the browser, hence
# unsafe-eval, and has scripts and styles in its document.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


def refusal(status: int, sentence: str, retry_after: int | None = None) -> JSONResponse:
    """A refusal as every client gets it."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": sentence}, status, headers)


class Guard:
    """ASGI application around `app`.

    `per_minute` requests that compute (POST) may come from an address in any 60 seconds, 0 means any number.
    `hosts` are the names by which the service may be called, none means any: on localhost this keeps web
    pages from elsewhere out that let their own name point here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, per_minute: int, hosts: Sequence[str] = ()):
        self.app, self.hosts, self.running = app, set(hosts), 0
        self.rate = RateLimitItemPerMinute(per_minute) if per_minute else None
        self.limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if refused := self.refused(scope):
            return await refused(scope, receive, send)
        works = scope["method"] == "POST"
        self.running += works
        try:
            await self.app(scope, limited(receive), mended(scope, receive, send))
        finally:
            self.running -= works

    def refused(self, scope: Scope) -> JSONResponse | None:
        """The refusal of a request, by its head alone."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0]
        if self.hosts and host not in self.hosts:
            return refusal(
                421,
                "this address does not answer to that host name; use the one it was started with",
            )
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > BYTES:
            return refusal(413, too_large())
        if scope["method"] != "POST":
            return None
        if self.running >= AT_ONCE:
            return refusal(503, f"{self.running} requests are being answered; try again", 1)
        client = (scope.get("client") or ("unknown",))[0]
        if self.rate and not self.limiter.hit(self.rate, client):
            return refusal(
                429,
                f"more than {self.rate.amount} requests in a minute; send several texts in one request",
                max(1, int(60 / self.rate.amount)),
            )
        return None


def too_large() -> str:
    """What is said of a request that is too large."""
    return f"the request is larger than {BYTES:,} bytes; send it in parts"


def limited(receive: Receive) -> Receive:
    """`receive` that ends with 413 where a body without a declared length becomes too large."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BYTES:
            raise HTTPException(413, too_large())
        return message

    return counted


def mended(scope: Scope, receive: Receive, send: Send) -> Send:
    """`send` that adds the headers of security, and answers 400 where gradio fails on a request.

    The paths of gradio's own script take what that script sends; on anything else many of them fail with
    500, though the fault is in the request. That it happened is logged.
    """
    refused = False

    async def sent(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
            refused = message["status"] == 500 and "/gradio_api/" in scope["path"]
            if refused:
                logging.warning("%s: gradio failed on a request, which got 400", scope["path"])
                answer = refusal(400, "this is not what the page sends; reload the page")
                answer.raw_headers.extend(HEADERS)
                await answer(scope, receive, send)
        if not refused:
            await send(message)

    return sent

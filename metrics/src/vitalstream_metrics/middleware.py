"""The ASGI middleware that counts every request of an application."""

from collections.abc import Iterable

from vitalstream_metrics.asgi import ASGIApp, Receive, Scope, Send
from vitalstream_metrics.exchange import Exchange, current_exchange
from vitalstream_metrics.routes import RouteTable
from vitalstream_metrics.websockets import Connection
from vitalstream_metrics.workers import announce_worker

SCOPE_KEY = "vitalstream.measured"
"""Set in the scope of a request that is being measured: a mounted application's middleware, and one
that was added twice, leave it alone."""


class MetricsMiddleware:
    """Pure ASGI middleware that counts every request under the template of its route.

    One line: `app.add_middleware(MetricsMiddleware)`, added last, so that it is the outermost.

    - The endpoint is the route's template (`/patients/{patient_id}`), with the prefixes of routers
      and mounts, or the name that `track_request_metrics` gives. What matches no route is
      `(unmatched)`; a method outside the standard is `other`.
    - The status is the one sent. 499: the client left before the response was complete. 500: the
      response broke after it had begun, too.
    - The duration is from the request's arrival until the response begins, dependencies included.
    - Every route has its success and `ZERO_STATUSES` at 0 from the start.
    - WebSockets are counted apart: `websocket_*`.

    `exclude` has templates that are not counted, with all below them: health checks, whose many
    successes would hide failures in the error rate. `MetricsApp` is never counted.
    """

    def __init__(self, app: ASGIApp, *, exclude: Iterable[str] = ("/metrics",)) -> None:
        if isinstance(exclude, str):
            raise TypeError(f'exclude is a list of paths: write exclude=["{exclude}"]')
        self._app = app
        self._table = RouteTable(exclude)
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._started:
            self._started = True
            self._table.build(scope.get("app") or self._app)
            announce_worker()
        kind = scope["type"]
        if kind == "http" and SCOPE_KEY not in scope:
            choice = self._table.find(scope)
            if choice.is_excluded:
                await self._app(scope, receive, send)
                return
            exchange = Exchange(scope, receive, send, self._table, choice)
            # Not the exchange itself: it refers to the scope, and a cycle would keep every request
            # until the next garbage collection.
            scope[SCOPE_KEY] = True
            token = current_exchange.set(exchange)
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except BaseException as error:
                exchange.end(error)
                raise
            finally:
                current_exchange.reset(token)
                if not exchange.done:
                    exchange.end(None)
        elif kind == "websocket" and SCOPE_KEY not in scope:
            scope[SCOPE_KEY] = True
            await Connection(receive, send).run(self._app, scope)
        else:
            await self._app(scope, receive, send)

"""Routes of a Starlette or FastAPI application: which endpoint a request is counted under.

A request has to be counted as in progress before the router has seen it. So the table expects a
route by the path, and is corrected by `scope["endpoint"]`, which the router sets.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from vitalstream_metrics.asgi import Scope
from vitalstream_metrics.requests import DEFAULT_METHOD, METHODS, UNMATCHED, Endpoint
from vitalstream_metrics.series import Series

ENDPOINT_ATTRIBUTE = "__vitalstream_endpoint__"
"""Attribute in which `track_request_metrics` stores a handler's `Endpoint`."""

UNCOUNTED_ATTRIBUTE = "__vitalstream_uncounted__"
"""Set on an ASGI application whose requests are not counted: the page with the metrics."""

_NAMED_GROUP = re.compile(r"\(\?P<\w+>")
_UNKNOWN_HANDLERS = 1000


class Route(NamedTuple):
    """One route of the application, with all its prefixes; `success` is its declared status."""

    template: str
    pattern: str
    methods: frozenset[str]
    handler: Any
    success: int | None = None
    is_in_schema: bool = False


class Choice:
    """Routes of one path: the endpoint label for each method."""

    __slots__ = ("_routes", "_table", "expected", "is_excluded")

    def __init__(self, table: "RouteTable", routes: list[Route]) -> None:
        self._table = table
        self._routes = routes
        self.expected: dict[str, tuple[Series, Any]] = {}
        self.is_excluded = bool(routes) and all(map(table.is_excluded, routes))

    def expect(self, method: str) -> tuple[Series, Any]:
        """Return the series of a request of `method`, and the handler it should get.

        `expected` keeps them.
        """
        allowed = [r for r in self._routes if not r.methods or method in r.methods]
        route = (allowed or self._routes or [_NO_ROUTE])[0]
        expected = self._table.endpoint(route).series(method, route.success), route.handler
        if method in METHODS:  # bounded: a client can invent any number
            self.expected[method] = expected
        return expected


_NO_ROUTE = Route(UNMATCHED, "", frozenset(), None, 404)


class RouteTable:
    """The routes of one application by path and by handler."""

    def __init__(self, exclude: Iterable[str]) -> None:
        self._exclude = tuple(path.rstrip("/") for path in exclude)
        self._endpoints: dict[str, Endpoint] = {}
        self._app: Any = None
        self._unknown: set[int] = set()
        self._static: dict[str, Choice] = {}
        self._dynamic: re.Pattern[str] | None = None
        self._choices: dict[int | None, Choice] = {}
        self._by_handler: dict[int, list[Route]] = {}
        self._unmatched = Choice(self, [])

    def build(self, app: Any) -> None:
        """Read the routes of `app`, and create the series of each at 0."""
        self._app = app
        static: dict[str, list[Route]] = {}
        dynamic: dict[str, list[Route]] = {}
        by_handler: dict[int, list[Route]] = {}
        for route in _walk(_routes_of(app), "", ""):
            by_handler.setdefault(id(route.handler), []).append(route)
            if route.template == UNMATCHED:
                continue
            is_static = route.pattern == re.escape(route.template)
            found = static if is_static else dynamic
            found.setdefault(route.template if is_static else route.pattern, []).append(route)
            if route.is_in_schema and not self.is_excluded(route):
                # Starlette adds HEAD to every GET: nobody needs its series until it is used.
                for method in route.methods - {"HEAD"}:
                    self.endpoint(route).series(method, route.success)
        self._static = {path: Choice(self, routes) for path, routes in static.items()}
        group = 1
        for pattern, routes in dynamic.items():
            self._choices[group] = Choice(self, routes)
            group += 1 + re.compile(pattern).groups
        # The outer group of an alternative closes last, which makes it the match's last index.
        expression = "|".join(f"({pattern}$)" for pattern in dynamic)
        self._dynamic = re.compile(expression) if dynamic else None
        self._by_handler = by_handler
        self._unmatched.expect(DEFAULT_METHOD)

    def endpoint(self, route: Route) -> Endpoint:
        """Return what a route is counted under: its decorator's endpoint, or its template."""
        tracked = getattr(route.handler, ENDPOINT_ATTRIBUTE, None)
        if isinstance(tracked, Endpoint):
            return tracked
        if route.template not in self._endpoints:
            self._endpoints[route.template] = Endpoint(route.template)
        return self._endpoints[route.template]

    def is_excluded(self, route: Route) -> bool:
        """Return whether a route's requests are not counted."""
        template = route.template
        return hasattr(route.handler, UNCOUNTED_ATTRIBUTE) or any(
            template == path or template.startswith(f"{path}/") for path in self._exclude
        )

    def find(self, scope: Scope) -> Choice:
        """Return the routes that a request's path has."""
        path = _route_path(scope) if scope.get("root_path") else scope.get("path", "")
        found = self._static.get(path)
        if found is None:
            match = self._dynamic.match(path) if self._dynamic else None
            found = self._choices[match.lastindex] if match else self._unmatched
        return found

    def endpoint_of(self, handler: Any, scope: Scope) -> Endpoint | None:
        """Return what a request is counted under that the router gave to `handler`."""
        routes = self._by_handler.get(id(handler))
        if routes is None and id(handler) not in self._unknown:
            # A route that was added after the start.
            if len(self._unknown) < _UNKNOWN_HANDLERS:
                self._unknown.add(id(handler))
                self.build(self._app)
            routes = self._by_handler.get(id(handler))
        if not routes:
            return None
        if len(routes) > 1:
            path = _route_path(scope)
            routes = [r for r in routes if re.match(f"{r.pattern}$", path)] or routes
        return self.endpoint(routes[0])


def _route_path(scope: Scope) -> str:
    """Return a request's path as the routes know it: without a proxy's or a mount's prefix."""
    path: str = scope.get("path", "")
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path


def _routes_of(app: Any) -> Iterable[Any]:
    """Return the routes of an application, below any middleware that wraps it."""
    for _ in range(20):
        routes = getattr(app, "routes", None)
        if routes is not None:
            return list(routes)
        app = getattr(app, "app", None) or getattr(app, "_app", None)
    return []


def _walk(routes: Iterable[Any], template: str, pattern: str) -> Iterator[Route]:
    for route in routes:
        # Newer FastAPI keeps an included router as one route that knows those below it.
        included = getattr(route, "effective_candidates", None)
        if callable(included):
            below = [getattr(found, "starlette_route", None) or found for found in included()]
            yield from _walk(below, template, pattern)
        elif hasattr(route, "methods") and hasattr(route, "path_regex"):
            yield Route(
                template + route.path_format,
                pattern + _pattern(route),
                frozenset(route.methods or ()),
                route.endpoint,
                getattr(route, "status_code", None),
                bool(getattr(route, "include_in_schema", False)),
            )
        elif hasattr(route, "routes") and hasattr(route, "app"):
            yield from _walk_mount(route, template, pattern)


def _walk_mount(mount: Any, template: str, pattern: str) -> Iterator[Route]:
    """Walk a mounted application, or one that is chosen by the request's host."""
    if hasattr(mount, "path_format"):
        template += mount.path_format.removesuffix("/{path}")
        pattern += _pattern(mount).removesuffix("/(?:.*)")
    below = list(mount.routes or _routes_of(mount.app))
    if below and not hasattr(mount.app, UNCOUNTED_ATTRIBUTE):
        yield from _walk(below, template, pattern)
        # The router names the mount where nothing below it matches.
        yield Route(UNMATCHED, pattern, frozenset(), mount.app, 404)
    else:
        yield Route(f"{template}/{{path}}", f"{pattern}/.*", frozenset(), mount.app)


def _pattern(route: Any) -> str:
    expression: str = _NAMED_GROUP.sub("(?:", route.path_regex.pattern)
    return expression.removeprefix("^").removesuffix("$")

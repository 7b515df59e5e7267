"""The endpoint label of a request: the template of its route, with all prefixes."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from tests.metrics.application import call, new_endpoint, requests, value, with_middleware
from vitalstream_metrics import ZERO_STATUSES, MetricsMiddleware, metrics_app, track_request_metrics


@pytest.fixture
def prefix() -> str:
    """A path of one test's own: the metrics are the whole process's."""
    return new_endpoint()


async def answer(request: Request) -> Response:
    return PlainTextResponse("answer")


def test_route_of_an_undecorated_handler_is_counted_by_its_template(prefix: str) -> None:
    app = with_middleware()

    @app.get(prefix + "/patients/{patient_id}")
    async def get_patient(patient_id: int) -> int:
        return patient_id

    for number in range(5):
        call(app, "GET", f"{prefix}/patients/{number}")
    assert requests(prefix + "/patients/{patient_id}") == {("GET", "200"): 5}


def test_route_of_nested_routers_has_all_prefixes(prefix: str) -> None:
    app, outer, inner = with_middleware(), APIRouter(prefix="/v1"), APIRouter(prefix="/wards")

    @inner.get("/{ward}")
    def get_ward(ward: str) -> str:
        return ward

    outer.include_router(inner)
    app.include_router(outer, prefix=prefix)
    call(app, "GET", f"{prefix}/v1/wards/north")
    assert requests(prefix + "/v1/wards/{ward}") == {("GET", "200"): 1}


def test_route_of_a_router_that_is_included_twice_is_counted_by_its_own_prefix(
    prefix: str,
) -> None:
    app, router = with_middleware(), APIRouter()
    router.add_api_route("/beds/{bed}", lambda bed: bed)
    app.include_router(router, prefix=f"{prefix}/a")
    app.include_router(router, prefix=f"{prefix}/b")
    for path in ("a/beds/1", "b/beds/1", "b/beds/2"):
        call(app, "GET", f"{prefix}/{path}")
    assert requests(prefix + "/a/beds/{bed}") == {("GET", "200"): 1}
    assert requests(prefix + "/b/beds/{bed}") == {("GET", "200"): 2}


@pytest.mark.parametrize("kind", [FastAPI, Starlette, Router])
def test_route_of_a_mounted_application_has_the_mounts_path(prefix: str, kind: Any) -> None:
    app, below = with_middleware(), kind()
    below.routes.append(Route("/vitals/{number:int}", answer))
    app.mount(prefix + "/{ward}", below)
    call(app, "GET", f"{prefix}/north/vitals/7")
    assert requests(prefix + "/{ward}/vitals/{number}") == {("GET", "200"): 1}


def test_route_that_a_mounted_application_does_not_have_is_unmatched(prefix: str) -> None:
    app, below = with_middleware(), Starlette()
    below.routes.append(Route("/known", answer))
    app.mount(prefix, below)
    before = requests("(unmatched)").get(("GET", "404"), 0)
    call(app, "GET", f"{prefix}/unknown")
    assert requests("(unmatched)")["GET", "404"] == before + 1


def test_route_of_a_plain_starlette_application_is_counted(prefix: str) -> None:
    class Beds(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            return PlainTextResponse("bed")

    app = Starlette(routes=[Mount(prefix, routes=[Route("/beds/{bed}", Beds)])])
    call(MetricsMiddleware(app), "GET", f"{prefix}/beds/3")  # wrapped from outside
    assert requests(prefix + "/beds/{bed}") == {("GET", "200"): 1}


def test_route_that_is_chosen_by_host_is_counted(prefix: str) -> None:
    app = with_middleware()
    app.routes.append(Host("backend", Router([Route(prefix + "/x", answer)])))
    call(app, "GET", f"{prefix}/x")
    assert requests(prefix + "/x") == {("GET", "200"): 1}


def test_files_of_a_mount_are_one_endpoint(prefix: str, tmp_path: Any) -> None:
    app = with_middleware()
    (tmp_path / "a.txt").touch()
    app.mount(prefix, StaticFiles(directory=tmp_path))
    for name in ("a.txt", "b.txt", "c/d.txt"):
        call(app, "GET", f"{prefix}/{name}")
    assert requests(prefix + "/{path}") == {("GET", "200"): 1, ("GET", "404"): 2}


def test_static_route_behind_a_template_that_takes_its_path_is_counted_as_the_router_decides(
    prefix: str,
) -> None:
    app = with_middleware()
    app.add_api_route(prefix + "/{name}", lambda name: name)
    app.add_api_route(prefix + "/me", lambda: "never called")
    call(app, "GET", f"{prefix}/me")
    assert requests(prefix + "/{name}") == {("GET", "200"): 1}
    assert requests(prefix + "/me") == {}


def test_paths_of_one_method_each_are_counted_by_their_method(prefix: str) -> None:
    app = with_middleware()
    app.add_api_route(prefix + "/{a}", lambda a: a, methods=["GET"])
    app.add_api_route(prefix + "/{b}", lambda b: b, methods=["DELETE"])
    call(app, "DELETE", f"{prefix}/x")
    assert requests(prefix + "/{b}") == {("DELETE", "200"): 1}


def test_method_that_a_route_does_not_have_is_a_405_of_its_template(prefix: str) -> None:
    app = with_middleware()
    app.add_api_route(prefix, lambda: None)
    call(app, "DELETE", prefix)
    assert requests(prefix) == {("DELETE", "405"): 1}


def test_methods_outside_the_standard_are_other(prefix: str) -> None:
    app = with_middleware()
    app.add_api_route(prefix, lambda: None)
    for method in ("BREW", "PROPFIND", "get"):
        call(app, method, prefix)
    # httpx sends methods in capitals.
    assert requests(prefix) == {("other", "405"): 2, ("GET", "200"): 1}


def test_proxys_prefix_is_no_part_of_the_template(prefix: str) -> None:
    app = FastAPI(root_path="/behind/proxy")
    app.add_middleware(MetricsMiddleware)
    app.add_api_route(prefix + "/{x}", lambda x: x)
    call(app, "GET", f"/behind/proxy{prefix}/1")
    assert requests(prefix + "/{x}") == {("GET", "200"): 1}


def test_request_that_a_middleware_refused_is_counted_by_the_route_it_meant(prefix: str) -> None:
    async def refuse(request: Request, call_next: Any) -> Response:
        return Response(status_code=401)

    app = FastAPI()
    app.add_middleware(BaseHTTPMiddleware, dispatch=refuse)
    app.add_middleware(MetricsMiddleware)
    app.add_api_route(prefix + "/{x}", lambda x: x)
    call(app, "GET", f"{prefix}/1")
    assert requests(prefix + "/{x}") == {("GET", "401"): 1}


def test_route_that_is_added_after_the_start_is_counted(prefix: str) -> None:
    app = with_middleware()
    call(app, "GET", prefix + "/first")
    app.add_api_route(prefix + "/late/{x}", lambda x: x)
    call(app, "GET", prefix + "/late/1")
    assert requests(prefix + "/late/{x}") == {("GET", "200"): 1}


def test_decorated_route_is_counted_under_its_own_name_alone(prefix: str) -> None:
    app = with_middleware()

    @app.get(prefix + "/{x}")
    @track_request_metrics(f"{prefix}-own")
    def handler(x: int) -> int:
        return x

    call(app, "GET", f"{prefix}/1")
    call(app, "GET", f"{prefix}/no-number")
    assert requests(f"{prefix}-own") == {("GET", "200"): 1, ("GET", "422"): 1}
    assert requests(prefix + "/{x}") == {}


def test_routes_have_every_class_of_status_at_0_before_any_request(prefix: str) -> None:
    app = with_middleware()
    app.add_api_route(prefix, lambda: None, methods=["POST"], status_code=201)
    app.add_api_route(prefix + "/hidden", lambda: None, include_in_schema=False)
    call(app, "GET", "/elsewhere")
    for status in (201, *ZERO_STATUSES):
        labels = {"method": "POST", "endpoint": prefix, "status": str(status)}
        assert value("http_requests_total", **labels) == 0
    assert {status // 100 for status in (201, *ZERO_STATUSES)} == {2, 4, 5}
    labels = {"method": "GET", "endpoint": prefix + "/hidden", "status": "200"}
    assert value("http_requests_total", **labels) is None


@pytest.mark.parametrize("path", ["/healthz", "/healthz/deep"])
def test_excluded_routes_are_not_counted(prefix: str, path: str) -> None:
    app = FastAPI()
    app.add_middleware(MetricsMiddleware, exclude=[prefix + "/healthz"])
    app.add_api_route(prefix + path, lambda: None)
    assert call(app, "GET", prefix + path).status_code == 200
    assert requests(prefix + path) == {}


@pytest.mark.parametrize("path", ["/metrics", "/internal/metrics"])
def test_scrapes_are_not_counted_wherever_the_page_is(path: str) -> None:
    app = with_middleware()
    app.routes.append(Route(path, metrics_app))
    assert call(app, "GET", path).status_code == 200
    assert requests(path) == {}


def test_a_single_path_to_exclude_is_refused() -> None:
    with pytest.raises(TypeError, match=r'write exclude=\["/healthz"\]'):
        MetricsMiddleware(FastAPI(), exclude="/healthz")

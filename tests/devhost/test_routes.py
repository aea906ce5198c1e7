"""Route templates match as ASP.NET's do, and pairs that depend on the host's version are found."""

import pytest

from devhost.functions import Binding, Function, StartError
from devhost.paths import read_path
from devhost.routes import Routes


def function(name: str, route: str | None, *methods: str) -> Function:
    settings = {"route": route, "methods": list(methods)}
    return Function(name, name, (Binding("req", "httpTrigger", False, settings),))


def found(routes: Routes, path: str, method: str = "GET") -> tuple | None:
    answer = routes.find(method, read_path(path))
    return answer and (answer[0].name, dict(answer[1]))


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/things/{id}", "/api/things/5", {"id": "5"}),
        ("api/things/{id}", "/API/Things/a%20b", {"id": "a b"}),
        ("api/things/{id}", "/api/things/a%2fb", {"id": "a%2Fb"}),
        ("api/things/{id}", "/api/things/%EA%B0%80", {"id": "가"}),
        ("api/things/{id}", "/api/things/", None),
        ("api/things/{id}", "/api//things/5", None),
        ("api/things/{id?}", "/api/things", {}),
        ("api/things/{id:int}", "/api/things/12", {"id": "12"}),
        ("api/things/{id:int}", "/api/things/x", None),
        ("{ignored:maxlength(0)?}", "/", {}),
        ("{ignored:maxlength(0)?}", "/x", None),
        ("{*path}", "/", {}),
        ("static/{*path}", "/static/a/b.css", {"path": "a/b.css"}),
        ("static/{*path}", "/static", {}),
        ("static/{*path}", "/statics/a", None),
        ("a.b/{name}.csv", "/a.b/x.csv", {"name": "x"}),
        ("a.b/{name}.csv", "/aXb/x.csv", None),
    ],
)
def test_a_route_template_matches_the_expected_paths(template, path, expected):
    answer = found(Routes([function("one", template)], ""), path)
    assert answer == (None if expected is None else ("one", expected))


def test_the_more_specific_route_answers():
    names = {"a": "{*all}", "b": "api/{id}", "c": "api/fixed", "d": "api/{id:int}"}
    routes = Routes([function(name, route) for name, route in names.items()], "")
    paths = ("/api/fixed", "/api/7", "/api/other", "/x/y")
    assert [found(routes, path)[0] for path in paths] == ["c", "d", "b", "a"]


def test_a_function_without_a_route_is_available_under_the_prefix_and_its_name():
    routes = Routes([function("Hello", None)], "api")
    assert found(routes, "/api/hello") == ("Hello", {})


def test_methods_are_distinguished():
    routes = Routes([function("read", "x", "GET"), function("write", "x", "POST")], "")
    assert found(routes, "/x", "POST")[0] == "write"
    assert found(routes, "/x", "HEAD") is None
    assert found(routes, "/x", "get")[0] == "read"


def test_routes_that_an_older_host_confuses_are_named():
    routes = Routes([function("a", "api/{*all}"), function("b", "api/fixed")], "")
    assert [(one.function.name, two.function.name) for one, two in routes.ambiguous()] == [
        ("b", "a")
    ]
    safe = Routes([function("z", "api/{*all}"), function("b", "api/fixed")], "")
    assert list(safe.ambiguous()) == []


@pytest.mark.parametrize("route", ["admin/x", "runtime/x", "api/{id:regex(a)}"])
def test_an_unsupported_route_stops_the_start(route):
    with pytest.raises(StartError):
        Routes([function("one", route)], "")

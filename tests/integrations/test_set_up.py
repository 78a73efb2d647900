"""What is said to whoever sets an app up wrongly."""

from importlib import import_module
from typing import Any

import pytest

from a2e_async import A2EError, ConfigError
from tests.integrations.serving import FRAMEWORKS


def module(framework: str) -> Any:
    pytest.importorskip(framework)
    return import_module(f"a2e_async.integrations.{framework}")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_token_that_can_be_guessed_is_refused_when_the_app_is_made(framework: str) -> None:
    with pytest.raises(ConfigError, match="16 to 256"):
        module(framework).webhook_route("/a2e", token="short")


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_a_lifespan_that_was_forgotten_is_named(framework: str) -> None:
    requests = pytest.importorskip("starlette.requests")

    for state in ({}, {"state": {}}, {"state": {"a2e": None}}):
        with pytest.raises(RuntimeError, match="lifespan=a2e_lifespan"):
            module(framework).get_session(requests.HTTPConnection({"type": "http", **state}))


def test_a_plugin_that_was_forgotten_is_named() -> None:
    litestar = module("litestar")

    with pytest.raises(RuntimeError, match=r"plugins=\[A2EPlugin\(\)\]"):
        litestar._session(import_module("litestar.datastructures").State())


def test_a_handler_of_the_apps_own_stays() -> None:
    litestar = module("litestar")

    def own(request: Any, error: Any) -> Any:
        raise error

    config = import_module("litestar.config.app").AppConfig(exception_handlers={A2EError: own})
    assert litestar.A2EPlugin().on_app_init(config).exception_handlers == {A2EError: own}


@pytest.mark.anyio
async def test_starlette_gets_back_what_is_no_error_of_ours() -> None:
    answer_error = module("starlette").answer_error

    with pytest.raises(KeyError):
        await answer_error(None, KeyError("theirs"))


def test_django_answers_no_error_but_ours() -> None:
    middleware = module("django").A2EErrorMiddleware(lambda _: None)

    assert middleware.process_exception(None, KeyError("theirs")) is None


def test_django_sends_no_events_under_wsgi() -> None:
    django = module("django")
    import_module("tests.integrations.django_app").configure()
    request = import_module("django.test").RequestFactory().get("/")

    with pytest.raises(import_module("django.core.exceptions").ImproperlyConfigured, match="ASGI server"):
        django.task_events(request, None)


def test_django_reads_its_settings_once() -> None:
    django = module("django")
    import_module("tests.integrations.django_app").configure()
    django.get_session.cache_clear()

    with import_module("django.test").override_settings(A2E={"api_key": "sk_x", "timeout": 7.0}):
        assert django.get_session().config.timeout == 7.0
    assert django.get_session() is django.get_session()
    django.get_session.cache_clear()

from collections.abc import Iterator

import pytest

from tests.browsing import Browser, opened


@pytest.fixture(scope="session")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with opened(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Browser:
    window.visit("about:blank")
    window.shape(1280, 860)
    return window

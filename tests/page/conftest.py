from collections.abc import Iterator

import pytest

from tests.support.page_site import PageSite, page_site


@pytest.fixture(scope="module")
def site() -> Iterator[PageSite]:
    with page_site() as site:
        yield site.open()

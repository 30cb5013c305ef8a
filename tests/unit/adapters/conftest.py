from collections.abc import Iterator

import pytest

from reflexarc.adapters.http.pool import HttpPool
from samples.standins.server import StandIns
from tests.support.standins import running


@pytest.fixture
def standins() -> Iterator[StandIns]:
    with running() as served:
        yield served


@pytest.fixture
def http() -> Iterator[HttpPool]:
    pool = HttpPool(read_s=0.3)
    yield pool
    pool.close()

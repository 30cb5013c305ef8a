import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reflexarc.adapters.dcgm.scrape import Scraper
from reflexarc.adapters.dcgm.sensor import DcgmSensor
from reflexarc.kernel.errors import Unavailable

PAGES = [
    path.read_bytes()
    for path in sorted((Path(__file__).parents[4] / "samples" / "dcgm").glob("*.txt"))
]
SHORT = [b"\n".join(page.splitlines()[:40] + page.splitlines()[-40:]) + b"\n" for page in PAGES]


class Broken(Scraper):
    """Fetches nothing: shows a page that the test broke."""

    def __init__(self) -> None:
        super().__init__("http://localhost/")
        self.text = ""

    def page(self) -> str:
        return self.text


def broken(page: bytes, luck: random.Random) -> bytes:
    out = bytearray(page)
    for _ in range(luck.randrange(1, 40)):
        at = luck.randrange(len(out))
        match luck.randrange(4):
            case 0:
                out[at] = luck.randrange(256)
            case 1:
                del out[at : at + luck.randrange(1, 30)]
            case 2:
                out[at:at] = luck.choice(
                    [b'"', b"{", b"}", b"\\", b",", b"\n", b"=", b"e999", b" "]
                )
            case _:
                out[at:at] = out[at : at + 200]
    return bytes(out)


@pytest.mark.parametrize("seed", range(200))
def test_a_broken_page_is_read_as_far_as_it_goes_or_refused_with_words(seed: int) -> None:
    luck = random.Random(seed)
    scraper = Broken()
    sensor = DcgmSensor(scraper=scraper, clock=lambda: datetime(2026, 7, 1, tzinfo=UTC))

    for page in SHORT:
        scraper.text = broken(page, luck).decode("utf-8", "replace")
        try:
            seen = sensor.read()
        except Unavailable:
            continue
        assert all(gpu.device.count(":") == 2 for gpu in seen.gpus)
        assert len(sensor.remarks()) <= 6

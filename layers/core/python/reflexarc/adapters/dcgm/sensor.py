"""Fills agent.ports.Sensor: what a DCGM exporter on this node tells, each five seconds."""

import time
from collections.abc import Callable

from reflexarc.adapters.dcgm import fields, witness
from reflexarc.adapters.dcgm.page import Page, Row, parser, read_page
from reflexarc.adapters.dcgm.scrape import Scraper
from reflexarc.gpu.watch.model import Observation
from reflexarc.kernel.clock import Clock, system_clock
from reflexarc.kernel.errors import Unavailable

DEFAULT_URL = "http://localhost:9400/metrics"
_WANTED = fields.WANTED | witness.WANTED


class DcgmSensor:
    """Scrapes the exporter's page. Never takes the last Xid, which stays there, for a new one."""

    name = "dcgm"

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        device_of_uuid: Callable[[str], str | None] | None = None,
        interval_s: float = 5.0,
        scraper: Scraper | None = None,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._interval_s = interval_s
        self._scraper = scraper or Scraper(url)
        self._clock = clock
        self._monotonic = monotonic
        self._addresses = fields.Addresses(ask=device_of_uuid)
        self._witness = witness.Witness()
        self._remarks: tuple[str, ...] = ()

    @property
    def interval_s(self) -> float:
        """Return the seconds between two scrapes."""
        return self._interval_s

    def read(self) -> Observation:
        """Scrape once; raises Unavailable where the page says nothing about GPUs."""
        parser()
        page = read_page(self._scraper.page(), _WANTED)
        if not page.rows and not page.others:
            raise Unavailable(
                f"the page at {self._url} has no metrics of DCGM, and {page.garbage} lines that are"
                " no metrics at all: is it another program's page? Correct dcgm_url"
            )
        self._addresses.learn(page.rows)
        placed = [(found, row) for row in page.rows if (found := self._device(row))]
        xids = self._witness.look(page, self._device, self._clock(), self._monotonic())
        self._remarks = self._compose(page)
        return Observation(
            gpus=fields.samples_of(placed),
            jobs=fields.jobs_of(placed),
            xids=xids,
        )

    def remarks(self) -> tuple[str, ...]:
        """Return what of the last page could not be used, and what to do about it."""
        return self._remarks

    def close(self) -> None:
        """Close the connection to the exporter."""
        self._scraper.close()

    def _device(self, row: Row) -> str | None:
        return self._addresses.of(row.labels)

    def _compose(self, page: Page) -> tuple[str, ...]:
        homeless = sum(
            self._device(row) is None
            for row in page.rows
            if row.name in fields.WANTED | witness.XIDS
        )
        facts = {
            "the page ends in the middle of a line": page.torn,
            f"{page.garbage} lines cannot be read": page.garbage,
            f"{page.not_numbers} values are no numbers": page.not_numbers,
            f"{page.repeated} series stand there twice; the first counts": page.repeated,
            f"{homeless} rows name no GPU that is known: use an exporter that prints"
            " pci_bus_id": homeless,
            "SXids of NVSwitches are not compared with the kernel log: add the fields"
            " DCGM_FI_DEV_NVSWITCH_PCIE_DOMAIN, _BUS, _DEVICE and _FUNCTION to the exporter's"
            " counters": self._witness.unplaced,
        }
        return tuple(words for words, true in facts.items() if true)

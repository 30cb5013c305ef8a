"""Asks whether an endpoint answers at all, and what time it has. Sends nothing of ours."""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from reflexarc.adapters.http.date_header import skew_s
from reflexarc.adapters.http.gpu_ingest import pool_for
from reflexarc.kernel.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Reached:
    """An answer, whatever it was: how long it took, and how far the clocks are apart."""

    milliseconds: float
    skew_s: float | None


def reach(url: str) -> Reached:
    """Return the endpoint's answer to a bare request; raises Unavailable when there is none."""
    parts = urlsplit(url)
    begun = time.monotonic()
    pool = pool_for(url)
    try:
        answer = pool.request("GET", f"{parts.scheme}://{parts.netloc}/", redirect=False)
    except HTTPError as error:
        raise Unavailable(
            f"no answer from {parts.netloc}: check the route, the proxy or the VPC endpoint:"
            f" {error}"
        ) from error
    finally:
        pool.clear()
    took = (time.monotonic() - begun) * 1000
    return Reached(round(took, 1), skew_s(answer.headers.get("date")))

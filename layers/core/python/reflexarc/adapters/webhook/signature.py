"""The signature of a webhook: who sent this body, and when.

docs/guides/channels.md says how a receiver verifies it.
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

HEADER = "X-Reflexarc-Signature"


def header(body: bytes, keys: Iterable[str], at: datetime) -> str:
    """Return `t=<unix seconds>,v1=<hex>`, with one v1 a key: HMAC-SHA256 of `<t>.<body>`."""
    moment = str(int(at.timestamp()))
    signed = moment.encode() + b"." + body
    signatures = (hmac.new(key.encode(), signed, hashlib.sha256).hexdigest() for key in keys)
    return ",".join([f"t={moment}", *(f"v1={signature}" for signature in signatures)])

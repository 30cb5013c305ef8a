"""Fills Signer: by the node's AWS credentials, or by a bearer token in a file."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from reflexarc.ingest.tokens import is_secret
from reflexarc.kernel.errors import Unavailable

# A token is 86 bytes. A larger file is another one; it is not read to its end.
_READ_MAX = 4_096


def default_region() -> str | None:
    """Return the region that AWS tools on this node use, if one is set."""
    region: str | None = botocore.session.get_session().get_config_variable("region")
    return region


@dataclass(frozen=True, slots=True, kw_only=True)
class SigV4Signer:
    """Signs with the standard credential chain, whose credentials may change at any time."""

    region: str
    session: botocore.session.Session = field(default_factory=botocore.session.get_session)

    def headers(self, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers with a signature for Lambda."""
        try:
            credentials = self.session.get_credentials()
            if credentials is None:
                raise Unavailable(f"no AWS credentials on this node: {self.advice()}")
            request = AWSRequest(method="POST", url=url, data=body, headers=dict(headers))
            SigV4Auth(credentials.get_frozen_credentials(), "lambda", self.region).add_auth(request)
        except BotoCoreError as error:
            raise Unavailable(
                f"no AWS credentials on this node: {self.advice()}: {error}"
            ) from error
        return dict(request.headers.items())

    def advice(self) -> str:
        """Return what makes a signature count."""
        return (
            "attach the policy of the stack's output IngestPolicyArn to this node's role, renew"
            " credentials that expired, and set its clock"
        )


@dataclass(slots=True)
class TokenFile:
    """Presents the token in a file, read again whenever the file changes."""

    path: Path
    _seen: tuple[int, ...] = ()
    _token: str = field(default="", repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def headers(self, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers with the token."""
        del url, body
        with self._lock:
            return {**headers, "Authorization": f"Bearer {self._current()}"}

    def advice(self) -> str:
        """Return where a token comes from."""
        return (
            f"put a token for this node into {self.path}"
            " (reflexarc token create --source NODE); it is read again by itself"
        )

    def _current(self) -> str:
        try:
            found = self.path.stat()
            if found.st_mode & stat.S_IROTH:
                raise Unavailable(
                    f"everybody on this node can read the token in {self.path}: chmod 600 it;"
                    " it may be known by now, so rotate it too"
                )
            seen = (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)
            if seen != self._seen:
                self._token = self._read()
                self._seen = seen
        except OSError as error:
            raise Unavailable(f"cannot read the token: {error}: {self.advice()}") from error
        return self._token

    def _read(self) -> str:
        with self.path.open("rb") as file:
            text = file.read(_READ_MAX).decode("ascii", "replace").strip()
        if not is_secret(text):
            # Not repeated: it may be another secret.
            raise Unavailable(f"{self.path} holds no reflexarc token: {self.advice()}")
        return text

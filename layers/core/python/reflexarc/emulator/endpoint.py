"""Where the emulated AWS listens, and clients and environments that reach it."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

REGION = "us-east-1"


@cache
def _client(endpoint: "Endpoint", service: str) -> Any:
    """Return the one client: making one takes 50 ms of CPU, seen in everybody's latency."""
    return endpoint.make_client(service)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One emulated AWS: our own ministack, or a LocalStack that somebody else runs."""

    url: str
    region: str = REGION
    access_key: str = "test"
    secret_key: str = "test"  # noqa: S105 - what every emulator accepts as root

    def client(self, service: str) -> Any:
        """Return a client that talks to this endpoint and to nothing else, made once."""
        return _client(self, service)

    def make_client(self, service: str) -> Any:
        """Return a new boto3 client."""
        return boto3.client(  # type: ignore[call-overload]  # stubs know literal names only
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(retries={"max_attempts": 2}, max_pool_connections=20),
        )

    def environment(self) -> dict[str, str]:
        """Return what a program's environment needs to use this endpoint."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStackEndpoint(Endpoint):
    """A LocalStack that runs already; localstack-client knows its conventions."""

    def make_client(self, service: str) -> Any:
        """Return a client made by localstack-client, or by boto3 where that is not installed."""
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname:
            return super(LocalStackEndpoint, self).make_client(service)
        try:
            from localstack_client.session import Session  # noqa: PLC0415 - optional, and slow
        except ImportError:
            return super(LocalStackEndpoint, self).make_client(service)
        session = Session(
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            localstack_host=f"{parts.hostname}:{parts.port or 80}",
        )
        return session.client(service)

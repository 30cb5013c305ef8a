"""Where an agent sends to, as its settings say."""

from pathlib import Path
from typing import Any

import pytest

from reflexarc.adapters.http.gpu_ingest import GpuIngest
from reflexarc.adapters.http.signers import SigV4Signer, TokenFile
from reflexarc.adapters.sqs.agent_queue import AgentQueue
from reflexarc.agent.failover import Failover
from reflexarc.agent.log import AgentLog
from reflexarc.agent.settings import AgentSettings
from reflexarc.agent.sink import queues_of
from reflexarc.kernel.errors import Rejected

QUEUES = {
    "faults_queue_url": "https://sqs.eu-west-1.amazonaws.com/1/reflexarc-gpu-faults",
    "readings_queue_url": "https://sqs.eu-west-1.amazonaws.com/1/reflexarc-gpu-readings",
}
HTTPS = {"https_url": "https://abc123.lambda-url.eu-west-1.on.aws/"}
TOKEN = {"https_auth": "token", "token_file": "/etc/reflexarc/token"}


@pytest.fixture(autouse=True)
def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


def combined(given: dict[str, Any]) -> AgentSettings:
    return AgentSettings.combine(None, given, hostname="node-7")


def queue_of(given: dict[str, Any]) -> Any:
    settings = combined(given)
    queues = queues_of(settings, settings.second, AgentLog(write=lambda _: None))
    return queues["faults"]


def test_a_url_is_a_sink_of_both_lanes() -> None:
    settings = combined(HTTPS)

    queues = queues_of(settings, None, AgentLog(write=lambda _: None))

    assert queues["faults"] is queues["readings"]
    assert isinstance(queues["faults"], GpuIngest)
    assert isinstance(queues["faults"].signer, SigV4Signer)
    assert queues["faults"].signer.region == "eu-west-1"


def test_a_token_file_is_used_where_it_is_asked_for() -> None:
    queue = queue_of(HTTPS | TOKEN)

    assert queue.signer == TokenFile(Path("/etc/reflexarc/token"), _lock=queue.signer._lock)


def test_queues_stay_queues() -> None:
    assert isinstance(queue_of(QUEUES), AgentQueue)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "not set: take the URLs from"),
        (HTTPS | QUEUES, "both set: choose one"),
        (HTTPS | {"faults_queue_url": "https://x"}, "both set: choose one"),
        (HTTPS | {"https_auth": "token"}, "belong together"),
        (HTTPS | {"token_file": "/etc/token"}, "belong together"),
        (HTTPS | {"https_auth": "basic"}, "https_auth"),
        (QUEUES | {"second": {}}, "second: --faults-queue-url"),
        (QUEUES | {"second": HTTPS | QUEUES}, "second: https_url"),
        (QUEUES | {"second": {"node": "x"}}, "second"),
    ],
)
def test_what_is_missing_or_said_twice_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(Rejected, match=says):
        combined(given)


@pytest.mark.parametrize("url", ["http://ingest.example.com/", "https://ingest.example.com/"])
def test_a_url_that_cannot_be_used_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(Rejected, match=r"https|region"):
        queue_of({"https_url": url})


def test_a_region_can_be_named_where_the_url_does_not() -> None:
    queue = queue_of({"https_url": "https://ingest.example.com/", "region": "eu-north-1"})

    assert queue.signer.region == "eu-north-1"


def test_the_nodes_own_region_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")

    assert queue_of({"https_url": "https://ingest.example.com/"}).signer.region == "eu-south-1"


def test_a_second_sink_stands_behind_the_first_in_each_lane() -> None:
    second = {name: url.replace("eu-west-1", "us-east-1") for name, url in QUEUES.items()}

    queue = queue_of(HTTPS | {"second": second})

    assert isinstance(queue, Failover)
    assert isinstance(queue.first, GpuIngest)
    assert isinstance(queue.second, AgentQueue)
    assert queue.second.client.meta.region_name == "us-east-1"


def test_a_dry_run_needs_no_sink() -> None:
    assert combined({"dry_run": True, "second": {}}).dry_run

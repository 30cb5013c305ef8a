"""Where an agent sends to: two queues or one URL, and perhaps a second of either elsewhere."""

import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from reflexarc.adapters.sqs.agent_queue import AgentQueue, connect
from reflexarc.agent.failover import Failover
from reflexarc.agent.log import AgentLog
from reflexarc.agent.ports import Queue
from reflexarc.agent.spool import LaneName
from reflexarc.kernel.errors import Rejected


class SinkSettings(BaseModel):
    """One place to send to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    faults_queue_url: str = Field(default="", description="where fault lines go")
    readings_queue_url: str = Field(default="", description="where heartbeats go")
    https_url: str = Field(default="", description="where both go by HTTPS instead")
    https_auth: Literal["iam", "token"] = "iam"
    token_file: Path | None = Field(default=None, description="holds the token of https_auth token")
    region: str | None = None
    endpoint_url: str | None = None

    def check_sink(self, where: str = "") -> None:
        """Raise Rejected when it is not said, or said twice, where to send to."""
        queues = {
            "--faults-queue-url": self.faults_queue_url,
            "--readings-queue-url": self.readings_queue_url,
        }
        if not self.https_url:
            if names := [name for name, url in queues.items() if not url]:
                raise Rejected(
                    f"{where}{' and '.join(names)} not set: take the URLs from the stack's outputs"
                    " GpuFaultsQueueUrl and GpuReadingsQueueUrl (or https_url, from IngestUrl), or"
                    " look first with --dry-run"
                )
            return
        if any(queues.values()):
            raise Rejected(f"{where}https_url and queue URLs are both set: choose one")
        if (self.https_auth == "token") != (self.token_file is not None):
            raise Rejected(f"{where}https_auth token and token_file belong together")


def queues_of(
    settings: SinkSettings, second: SinkSettings | None, log: AgentLog
) -> dict[LaneName, Queue]:
    """Return what takes each lane; raises Rejected when it cannot be built."""
    queues = _queues(settings)
    if second is None:
        return queues
    others = _queues(second)
    return {
        lane: Failover(first=queue, second=others[lane], log=log, monotonic=time.monotonic)
        for lane, queue in queues.items()
    }


def _queues(sink: SinkSettings) -> dict[LaneName, Queue]:
    if sink.https_url:
        queue = _by_https(sink)
        return {"faults": queue, "readings": queue}
    faults, readings = (
        connect(url, region=sink.region, endpoint_url=sink.endpoint_url)
        for url in (sink.faults_queue_url, sink.readings_queue_url)
    )
    if faults.meta.region_name == readings.meta.region_name:
        # One pool of connections: the heartbeats keep open the one that the next fault takes.
        readings = faults
    return {
        "faults": AgentQueue(faults, sink.faults_queue_url),
        "readings": AgentQueue(readings, sink.readings_queue_url),
    }


def _by_https(sink: SinkSettings) -> Queue:
    # Most agents send to SQS, and should not carry what they do not use.
    from reflexarc.adapters.http.gpu_ingest import (  # noqa: PLC0415
        GpuIngest,
        address_of,
        pool_for,
        region_of,
    )
    from reflexarc.adapters.http.signers import (  # noqa: PLC0415
        SigV4Signer,
        TokenFile,
        default_region,
    )

    url = address_of(sink.https_url)
    if sink.token_file is not None:
        return GpuIngest(url=url, signer=TokenFile(sink.token_file), pool=pool_for(url))
    region = sink.region or region_of(url) or default_region()
    if region is None:
        raise Rejected(
            f"no AWS region: {url} does not name one; set --region or AWS_DEFAULT_REGION"
        )
    return GpuIngest(url=url, signer=SigV4Signer(region=region), pool=pool_for(url))

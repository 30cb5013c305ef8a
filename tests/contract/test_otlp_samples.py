"""Configurations of forwarders in samples/ and in the guide: they parse, and keep to the limits."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflexarc.engines.otlp.validity import judged
from reflexarc.engines.otlp.verdicts import Verdict
from reflexarc.events.otlp_batch import OtlpBatch
from reflexarc.ingest.body import PACKED_MAX
from reflexarc.ingest.model import OTLP_PATHS
from reflexarc.ingest.otlp_body import ENCODINGS, UNPACKED_MAX, unpacked
from tests.support.aws import aws, drain, queue, sqs

ROOT = Path(__file__).parents[2]
COLLECTOR = ROOT / "samples" / "collector"
FLUENT_BIT = ROOT / "samples" / "fluent-bit"
GUIDE = ROOT / "docs" / "guides" / "otlp.md"
# What Lambda wraps a body in, and headers, at most.
ENVELOPE = 64 * 1024
# A record of /dev/kmsg, and what OTLP makes of its fields.
KMSG_RECORD = 4 * 1024


def document(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text())
    return read


def fits_the_url(exporter: dict[str, Any]) -> bool:
    """Return whether a batch passes the function URL even where nothing of it compresses."""
    batch = exporter["sending_queue"]["batch"]
    return batch["sizer"] == "bytes" and int(batch["max_size"]) * 4 / 3 + ENVELOPE < PACKED_MAX


@pytest.mark.parametrize("name", ["sigv4", "token", "s3"])
def test_a_collectors_pipelines_name_what_is_configured(name: str) -> None:
    config = document(COLLECTOR / f"{name}.yaml")

    assert set(config["service"]["pipelines"]) == {"traces", "metrics", "logs"}
    assert set(config["service"].get("extensions", [])) == set(config.get("extensions", {}))
    for pipeline in config["service"]["pipelines"].values():
        assert set(pipeline["receivers"]) <= set(config["receivers"])
        assert set(pipeline["exporters"]) <= set(config["exporters"])


@pytest.mark.parametrize("name", ["sigv4", "token"])
def test_a_collectors_batches_fit_the_function_url(name: str) -> None:
    config = document(COLLECTOR / f"{name}.yaml")
    exporter = config["exporters"]["otlphttp/reflexarc"]

    assert fits_the_url(exporter)
    assert exporter["compression"] in ENCODINGS
    assert exporter["auth"]["authenticator"] in config["extensions"]
    # The exporter appends the paths, and a slash at the end would double theirs.
    assert re.fullmatch(r"https://[a-z0-9]+\.lambda-url\.[a-z0-9-]+\.on\.aws", exporter["endpoint"])


def test_a_collector_signs_for_lambda() -> None:
    config = document(COLLECTOR / "sigv4.yaml")

    assert config["extensions"]["sigv4auth"]["service"] == "lambda"


def test_a_collectors_objects_are_told_to_the_queue_and_can_be_read() -> None:
    config = document(COLLECTOR / "s3.yaml")
    exporter = config["exporters"]["awss3/reflexarc"]

    batch = exporter["sending_queue"]["batch"]
    assert exporter["s3uploader"]["s3_prefix"] == "inbox-direct"
    assert exporter["s3uploader"]["compression"] in ENCODINGS
    assert exporter["marshaler"] in {"otlp_proto", "otlp_json"}
    assert batch["sizer"] == "bytes"
    assert batch["max_size"] < UNPACKED_MAX


def classic(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Read Fluent Bit's classic format: sections of `key value` lines."""
    sections: list[tuple[str, dict[str, str]]] = []
    for line in path.read_text().splitlines():
        text = line.strip()
        if text.startswith("["):
            sections.append((text.strip("[]"), {}))
        elif text and not text.startswith("#"):
            key, _, value = text.partition(" ")
            sections[-1][1][key] = value.strip()
    return sections


def outputs_and_inputs() -> dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    pipeline = document(FLUENT_BIT / "kernel-log.yaml")["pipeline"]
    sections = dict(classic(FLUENT_BIT / "kernel-log-iam.conf"))
    return {
        "kernel-log.yaml": (pipeline["inputs"][0], pipeline["filters"][0], pipeline["outputs"][0]),
        "kernel-log-iam.conf": (sections["INPUT"], sections["FILTER"], sections["OUTPUT"]),
    }


@pytest.mark.parametrize("name", ["kernel-log.yaml", "kernel-log-iam.conf"])
def test_fluent_bit_sends_the_kernels_log_with_the_nodes_name(name: str) -> None:
    read, named, sent = outputs_and_inputs()[name]

    assert (read["name"], sent["name"]) == ("kmsg", "opentelemetry")
    assert read["tag"] == named["match"] == sent["match"]
    assert named["add"].split()[0] == "hostname"
    assert sent["logs_uri"] in OTLP_PATHS
    assert sent["compress"] in ENCODINGS
    assert sent["tls"] in {True, "on"}
    assert int(sent["batch_size"]) * KMSG_RECORD * 4 / 3 + ENVELOPE < PACKED_MAX


def test_fluent_bit_says_who_it_is() -> None:
    outputs = {name: sent for name, (_, _, sent) in outputs_and_inputs().items()}

    assert outputs["kernel-log.yaml"]["header"].startswith("Authorization Bearer ")
    assert outputs["kernel-log-iam.conf"]["aws_auth"] == "on"
    assert outputs["kernel-log-iam.conf"]["aws_service"] == "lambda"


def test_the_guide_shows_what_the_samples_say() -> None:
    blocks = [
        yaml.safe_load(block)
        for block in re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    ]
    (collector,) = [block for block in blocks if "exporters" in block]
    (fluent_bit,) = [block for block in blocks if "pipeline" in block]

    sample = document(COLLECTOR / "sigv4.yaml")
    shown = collector["exporters"]["otlphttp/reflexarc"]
    assert fits_the_url(shown)
    assert collector["extensions"]["sigv4auth"] == sample["extensions"]["sigv4auth"]
    for key in ("endpoint", "auth", "compression"):
        assert shown[key] == sample["exporters"]["otlphttp/reflexarc"][key]
    (output,) = fluent_bit["pipeline"]["outputs"]
    assert {output[f"{signal}_uri"] for signal in OTLP_PATHS.values()} == set(OTLP_PATHS)


def python_blocks() -> list[str]:
    """Return the programs that the guide shows."""
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_guides_own_program_sends_a_batch_that_can_be_read() -> None:
    (program,) = [block for block in python_blocks() if "send_message" in block]
    with aws(), pytest.MonkeyPatch.context() as patch:
        client = sqs()
        url = queue(client, "telemetry")
        patch.setenv("TELEMETRY_QUEUE_URL", url)

        exec(compile(program, str(GUIDE), "exec"), {})  # noqa: S102 - our own guide

        (message,) = drain(client, url)
    batch = OtlpBatch.model_validate_json(message["Body"])
    payload = unpacked(base64.b64decode(batch.payload or ""), batch.encoding)
    assert judged(payload, batch.signal) == Verdict(payload, 1)

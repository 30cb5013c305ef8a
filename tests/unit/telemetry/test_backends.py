from typing import Any

import pytest
from pydantic import ValidationError

from reflexarc.telemetry.backends import Backend, Forwarding, SecretKey


def backend(**changed: Any) -> dict[str, Any]:
    return {"name": "honeycomb", "endpoint": "https://api.honeycomb.io", **changed}


def test_a_backend_takes_everything_as_gzip_unless_told_otherwise() -> None:
    given = Backend.model_validate(backend())

    assert [given.takes(signal) for signal in ("traces", "metrics", "logs")] == [True] * 3
    assert (given.compression, given.limits.max_bytes, given.usd_per_gb) == (
        "gzip",
        4_000_000,
        None,
    )


def test_headers_are_texts_or_names_of_keys() -> None:
    given = Backend.model_validate(
        backend(headers={"x-honeycomb-team": {"secret": "honeycomb"}, "x-dataset": "prod"})
    )

    assert given.headers == {"x-honeycomb-team": SecretKey(secret="honeycomb"), "x-dataset": "prod"}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "Honey Comb"}, "name"),
        ({"endpoint": "ftp://somewhere"}, "endpoint"),
        ({"endpoint": "https://x?token=1"}, "endpoint"),
        ({"signals": []}, "signals"),
        ({"headers": {"Content-Type": "text/plain"}}, "no header that can be set"),
        ({"headers": {"x y": "1"}}, "no header that can be set"),
        ({"headers": {"x": "a\r\nx-other: b"}}, "no header may"),
        ({"limits": {"max_bytes": 5}}, "max_bytes"),
        ({"timeout_s": 60}, "timeout_s"),
        ({"sign": {"service": "s3", "region": "eu-west-1"}}, "service"),
        ({"usd_per_gb": "-1"}, "usd_per_gb"),
        ({"compresion": "zstd"}, "compresion"),
    ],
)
def test_a_backend_that_makes_no_sense_is_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Backend.model_validate(backend(**changed))


def test_batches_go_to_the_backends_that_take_their_signal() -> None:
    forwarding = Forwarding.model_validate(
        {"backends": [backend(signals=["traces"]), backend(name="loki", signals=["logs"])]}
    )

    assert [each.name for each in forwarding.to("logs")] == ["loki"]
    assert forwarding.to("metrics") == ()
    assert forwarding.backend("loki") == forwarding.backends[1]
    assert forwarding.backend("gone") is None


def test_two_backends_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two backends are called honeycomb"):
        Forwarding.model_validate({"backends": [backend(), backend()]})


def test_what_nobody_reads_yet_is_not_handed_on_by_default() -> None:
    wanted = Forwarding().hand_on

    assert (wanted.kernel_lines, wanted.gpu_metrics) == (True, True)
    assert (wanted.llm_spans, wanted.series) == (False, ())

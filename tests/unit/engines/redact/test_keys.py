"""Which keys, tokens and passwords are found, and what stays."""

import pytest

from reflexarc.engines.redact.keys import KeyDetector
from reflexarc.engines.redact.model import Detector

A36, A40, A64 = "aB3" * 12, "aB3/" * 10, "0a" * 32
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA+b/c=\n-----END RSA PRIVATE KEY-----"


def found(detector: Detector, text: str) -> list[str]:
    encoded = text.encode()
    return [encoded[start:end].decode() for start, end in detector.find(encoded)]


@pytest.mark.parametrize(
    "token",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        *(f"gh{kind}_{A36}" for kind in "pousr"),
        "github_pat_11ABCDEFG0123456789_abcdefghij",
        "glpat-0123456789abcdefghij",
        "xoxb-123456789012-1234567890123-abc",
        "xoxe.xoxp-1-abcdefghijklmnop",
        "xapp-1-A0123456789-123-abc",
        "hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "sk-" + "aB3" * 16,
        "sk-proj-abc_def-0123456789",
        "sk-ant-api03-abcdefghijklmnop",
        "AIza" + "aB3_-" * 7,
        "GOCSPX-0123456789abcdefghij",
        "sk_live_0123456789abcdef",
        "rk_test_0123456789abcdef",
        JWT,
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0",
        f"rxa_0123456789abcdef_{A64}",
        "hf_" + "aB" * 17,
        "nvapi-abcdefghij0123456789_-",
        PEM,
        PEM.replace("RSA ", ""),
        PEM.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "see {} there", '{{"x": "{}"}}', "x={}&y", "é{}é"])
def test_a_token_is_known_by_its_shape(token: str, around: str) -> None:
    assert token in found(KeyDetector(), around.format(token))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"aws_secret_access_key = {A40}", A40),
        (f'"SecretAccessKey": "{A40}"', A40),
        ("password=hunter2", "hunter2"),
        ("DB_PASSWORD='hunter2'", "hunter2"),
        ("Server=x;Password=hunter2;Port=1", "hunter2"),
        ("?api_key=abc123&x=1", "abc123"),
        ('{"password": "hunter2", "x": 1}', "hunter2"),
        ("{'password': 'it\"s'}", 'it"s'),
        ('{"password": "a\\"b"}', 'a\\"b'),
        ('{"client_secret":"x"}', "x"),
        ("password: hunter2", "hunter2"),
        ("Authorization: Bearer abc.def.ghi", "abc.def.ghi"),
        ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("'Authorization': 'opaque-credentials'", "opaque-credentials"),
        ("bearer 0123456789abcdef", "0123456789abcdef"),
        ("Cookie: a=b; session=1", "a=b; session=1"),
        ("set-cookie: id=a3fWa; Max-Age=1", "id=a3fWa; Max-Age=1"),
        ("https://bob:s3cret@example.com/x", "bob:s3cret"),
        ("redis://:p@ss@cache:6379", ":p@ss"),
        ("refresh_token=abcdef", "abcdef"),
    ],
)
def test_a_secret_is_known_by_its_name(text: str, secret: str) -> None:
    assert secret in found(KeyDetector(), text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a task-force of disk-drives, risk-averse",
        "sk-learn-pipelines-and-some-more-words",
        "AKIA and ASIA",
        "the password is required",
        "password: required field",
        "password=None&secret=null",
        '"password": ""',
        "bearer certificates-and-tokens",
        "basic understanding of authorization",
        "cookie: chocolate chip",
        "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----",
        "https://example.com:8080/a@b",
        "gen_ai.usage.input_tokens=100",
        "eyJub3QgYSB0b2tlbiI",
        "hf_transfer xoxo",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert found(KeyDetector(), text) == []


@pytest.mark.parametrize("body", ["\nMIIEpAIBAAKCAQEA+b/c=\n", "\\nMIIEpAIB\\n", ""])
def test_a_private_key_that_is_cut_off_goes_as_far_as_it_may(body: str) -> None:
    begin = "-----BEGIN PRIVATE KEY-----" + body

    assert found(KeyDetector(), f'{{"k": "{begin}"}}') == [begin]

"""`reflexarc rules preview | explain | test | suggest`, on files and on the archive of a stack."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
import zstandard
from typer.testing import CliRunner, Result

from reflexarc.adapters.dynamodb.config_document import TELEMETRY, ConfigDocument
from reflexarc.adapters.dynamodb.telemetry_accounts import TelemetryAccounts
from reflexarc.adapters.s3.archived_batches import ArchivedBatches
from reflexarc.cli import (
    rules_document,
    rules_explain,
    rules_preview,
    rules_sources,
    rules_suggest,
    rules_test,
)
from reflexarc.cli.app import app
from reflexarc.runtime import telemetry_operator
from reflexarc.runtime.telemetry_operator import TelemetryDeployment
from reflexarc.telemetry.recorded import Batch
from reflexarc.telemetry.short_form import ShortEvent, ShortLog, ShortMetric, ShortPoint
from tests.support.aws import aws, dynamodb, make_table
from tests.support.rule_writing import NOON, batch, span, stated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAMPLES = Path(__file__).parents[3] / "samples" / "rules"
SAMPLE, TEN_MINUTES = SAMPLES / "telemetry.yaml", SAMPLES / "ten-minutes.jsonl"
TESTS = SAMPLES / "telemetry-tests.yaml"
BUCKET = "telemetry"


@pytest.fixture(autouse=True)
def s3() -> Iterator["S3Client"]:
    def find(name: str, endpoint: str | None) -> TelemetryDeployment:
        del name, endpoint
        return TelemetryDeployment(
            ConfigDocument(dynamodb(), "incidents", TELEMETRY),
            TelemetryAccounts(dynamodb(), "telemetry"),
            lambda since, until, signals: ArchivedBatches(client, BUCKET, since, until, signals),
        )

    with aws(), pytest.MonkeyPatch.context() as patch:
        make_table(dynamodb(), "incidents")
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        patch.setattr(telemetry_operator, "find", find)
        patch.setattr(telemetry_operator, "system_clock", lambda: NOON)
        for module in (rules_document, rules_explain, rules_preview, rules_suggest, rules_test):
            patch.setattr(module, "system_clock", lambda: NOON)
        patch.setenv("COLUMNS", "160")
        yield client


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["rules", *map(str, words)])


def shape(text: str) -> list[str]:
    """Return the lines of an output without their columns."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.fixture
def rules(tmp_path: Path) -> Any:
    def write(*stated_rules: dict[str, Any], **more: Any) -> Path:
        file = tmp_path / "telemetry.yaml"
        file.write_text(yaml.safe_dump({"rules": list(stated_rules), **more}))
        return file

    return write


@pytest.fixture
def otlp(tmp_path: Path) -> Any:
    def write(*batches: Batch) -> list[Path]:
        files = []
        for number, each in enumerate(batches):
            file = tmp_path / f"{number}.{each.signal}.pb.gz"
            file.write_bytes(gzip.compress(each.payload))
            files.append(file)
        return files

    return write


def archived(s3: "S3Client", made: Batch, at: datetime) -> None:
    key = f"archive/{made.signal}/dt={at:%Y-%m-%d}/hour={at:%H}/{at:%M%S}.pb.zst"
    s3.put_object(Bucket=BUCKET, Key=key, Body=zstandard.compress(made.payload))


# preview


def test_the_sample_is_previewed() -> None:
    lines = shape(run("preview", SAMPLE, TEN_MINUTES).stdout)

    assert lines[:4] == [
        "over 9.4 min CAME REQUESTS BYTES A MONTH $/MONTH STAY GO SHARE",
        "spans 130 10 25 kB 116 MB $0.06 49 81 62.3 %",
        "log records 52 10 5.5 kB 25 MB $0.01 12 40 76.9 %",
        "data points 45 5 5.4 kB 25 MB $0.01 10 35 77.8 %",
    ]
    assert lines[4] == (
        "RULE ACTION OF MATCHED REMOVED SHARE BYTES A MONTH $/MONTH GUARDED ORPHANS ERRORS"
    )
    assert "health-checks drop traces 30 30 23.1 % 6.6 kB 31 MB $0.02 - - -" in lines
    assert any(line.startswith("cache-reads (shadow) sample 10 % traces 60 51 ") for line in lines)
    assert "keep-orders keep logs 10 - - - - - - - -" in lines
    assert any(line.startswith("all rules 175 156 68.7 %") for line in lines)
    assert "requests-by-pod writes 10 points in place of 35" in lines
    assert "redacted before all rules: 20 email, 20 attribute, 1 card" in lines
    assert lines[-1] == "Nothing was changed: this is a preview."


def test_examples_are_shown_redacted_and_in_one_line_each() -> None:
    text = run("preview", SAMPLE, TEN_MINUTES, "--examples", 1).stdout

    assert "debug-logs takes log records, for example:" in text
    assert text.count("cache miss for key") == 1
    assert "@example.com" not in text


def test_what_is_not_known_is_not_zero(rules: Any, otlp: Any) -> None:
    file = rules(stated("a", span='name == "a"'), stated("idle", span='name == "idle"'))

    short = run("preview", file, *otlp(batch(span("a"))))
    unpriced = run("preview", file, *otlp(batch(span("a"))), "--window", "1h")
    priced = run("preview", file, *otlp(batch(span("a"))), "--window", "1h", "--price-per-gb", 9)

    assert "too short to tell a month: say how long with --window." in short.stdout
    assert "What a GB of traces costs is unknown" in unpriced.stdout
    assert "spans 1 1 61 B 44 kB unknown 0 1 100.0 %" in shape(unpriced.stdout)
    assert "spans 1 1 61 B 44 kB < $0.01 0 1 100.0 %" in shape(priced.stdout)
    assert "nothing met idle" in short.stdout


def test_what_has_no_column_on_a_narrow_terminal_stands_below(
    rules: Any, otlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parent = span("p", span_id="0" * 15 + "1", events=(ShortEvent(name="x"),))
    spans = batch(
        parent,
        span("c", parent_span_id="0" * 15 + "1", span_id="0" * 15 + "2",
             events=(ShortEvent(name="x"),)),
        span("p", status="error", span_id="0" * 15 + "3"),
        span("e", attributes={"n": 1}, span_id="0" * 15 + "4"),
    )  # fmt: skip
    file = rules(
        stated("parents", span='name == "p"'),
        stated("errs", span='Len(attributes["n"]) > 1'),
        stated("cuts", spanevent='name == "x"'),
    )

    lines = shape(run("preview", file, *otlp(spans)).stdout)

    assert "RULE ACTION REMOVED SHARE BYTES $/MONTH" in lines
    assert "parents: a guard keeps 1 that it would take" in lines
    assert "parents: 1 spans that stay lose their parent" in lines
    assert "errs: 2 errors in its conditions; such items stay" in lines
    assert "cuts cuts 1 events out of spans that stay" in lines
    assert "errors kept 1" in lines
    assert "1 spans would lose their parent: traces with holes in them." in lines


def test_what_cannot_be_merged_and_what_is_invalid_is_said(rules: Any, otlp: Any) -> None:
    merges = stated("merges", "aggregate", metric='name == "m"', aggregate={"remove": ["pod"]})
    points = (ShortPoint(value=1), ShortPoint(value=2))
    cumulative = ShortMetric(name="m", type="sum", temporality="cumulative", points=points)
    invalid = span("a", trace_id="0" * 32)

    text = run("preview", rules(merges), *otlp(batch(cumulative), batch(span(), invalid))).stdout

    assert "not aggregated, 2 of merges: a cumulative sum cannot be merged" in text
    assert "1 items were no valid telemetry, and are not counted." in text


def test_machines_are_told_all_of_it(rules: Any, otlp: Any) -> None:
    file = rules(stated("a", span='name == "a"'), stated("idle", span="false"))

    told = json.loads(
        run("preview", file, *otlp(batch(span("a"), span("b"))), "--json", "--window", "1d").stdout
    )

    assert told["signals"]["traces"]["received"] == 2
    (rule,) = told["rules"]
    assert (rule["rule"], rule["removed"], rule["usd_a_month"]) == ("a", 1, None)
    assert rule["bytes_a_month"] == rule["bytes"] * 30
    assert rule["examples"] == ["a 1 ms"]
    assert told["met_nothing"] == ["idle"]


def test_many_rules_that_met_nothing_are_told_in_part(rules: Any, otlp: Any) -> None:
    file = rules(*(stated(f"r{number}", span="false") for number in range(20)))

    assert "nothing met r0, " in (text := run("preview", file, *otlp(batch(span()))).stdout)
    assert "r11 and 8 more" in text


def test_the_archive_is_previewed_and_not_redacted_again(rules: Any, s3: "S3Client") -> None:
    archived(s3, batch(ShortLog(body="ada@example.com")), NOON - timedelta(minutes=30))
    archived(s3, batch(span("a")), NOON - timedelta(hours=3))
    file = rules(stated("a", log_record='IsMatch(body, "@example")', span='name == "a"'))

    recent = shape(run("preview", file, "--archive").stdout)
    older = run("preview", file, "--archive", "--since", "6h", "--until", "2h", "--json").stdout
    spans = run(
        "preview", file, "--archive", "--since", "2026-11-24T00:00", "--signal", "trace", "--json"
    ).stdout

    assert "log records 1 1 36 B 26 kB unknown 0 1 100.0 %" in recent
    assert json.loads(older)["signals"].keys() == {"traces"}
    assert json.loads(spans)["signals"]["traces"]["removed"] == 1
    assert json.loads(spans)["window_s"] == 3_600


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "name files of telemetry, or --archive for what came to the stack: one of the two"),
        ([TEN_MINUTES, "--archive"], "one of the two"),
        (["--archive", "--since", "soon"], "--since 'soon': write 30m, 6h or 2d ago, or a time"),
        (["--archive", "--until", "2h"], "--since is not before --until"),
        ([TEN_MINUTES, "--signal", "pictures"], "there are traces, metrics and logs"),
        ([TEN_MINUTES, "--window", "long"], "--window 'long': write a span as 90s"),
        ([SAMPLE], "neither an export request nor requests behind their lengths"),
    ],
)
def test_what_makes_no_sense_is_one_readable_line(words: list[Any], problem: str) -> None:
    result = run("preview", SAMPLE, *words)

    assert result.exit_code == 1
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1


def test_times_are_taken_in_utc_where_they_name_no_zone() -> None:
    moment = rules_sources.moment_from

    assert moment("2026-12-24T03:00", NOON, "") == datetime(2026, 12, 24, 3, tzinfo=UTC)
    assert moment("2026-12-24T03:00+01:00", NOON, "") == datetime(2026, 12, 24, 2, tzinfo=UTC)


def test_nothing_found_is_said(rules: Any) -> None:
    file = rules(stated("a", span="true"))

    assert run("preview", file, "--archive").stdout == "No telemetry was found there.\n"


@pytest.mark.parametrize("command", ["preview", "explain"])
def test_a_document_that_hashes_is_tried_out_without_its_salt(command: str, tmp_path: Path) -> None:
    rule = stated("a", "redact", redact={"mode": "hash"}, span='name != ""')
    document = {"redaction": {"mode": "hash", "salt_secret": "salt"}, "rules": [rule]}
    file = tmp_path / "telemetry.yaml"
    file.write_text(yaml.safe_dump(document))

    assert run(command, file, TEN_MINUTES).exit_code == 0


def test_a_document_with_problems_is_not_previewed(rules: Any) -> None:
    result = run("preview", rules(stated("a", span="name ==")), TEN_MINUTES)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "expected a value" in result.stderr


# explain


def test_an_item_is_explained_as_a_tree() -> None:
    result = run("explain", SAMPLE, TEN_MINUTES)

    lines = shape(result.stdout)
    assert lines[0].startswith("span GET /healthz 358 us http.request.method=")
    assert "DROPPED by health-checks" in lines
    assert "│ ├── true and" in lines
    assert (
        '│ │ ├── true attributes["url.path"] == "/healthz" attributes["url.path"] is "/healthz"'
        in lines
    )
    assert (
        "├── cache-reads (sample 10 %, priority 100, in shadow: it only counts):"
        " not asked: it was decided before" in lines
    )


@pytest.mark.parametrize(
    ("words", "decision"),
    [
        (["--name", "redis GET"], "KEPT (no rule that decides holds for it)"),
        (["--name", "Xid"], "KEPT (no rule that decides holds for it)"),
        (["--name", "order", "--signal", "logs"], "KEPT by keep-orders (no later rule is asked)"),
        (["--name", "http.server.requests"], "MERGED by requests-by-pod"),
        (["--span-id", "24083FD22B902F89"], "DROPPED by health-checks"),
        (["--trace-id", "38b4e652e44da7f2370d9e260e271365"], "DROPPED by health-checks"),
        (["--name", "GET /healthz", "--number", 30], "DROPPED by health-checks"),
    ],
)
def test_an_item_is_chosen_by_its_ids_or_its_name(words: list[Any], decision: str) -> None:
    assert decision in run("explain", SAMPLE, TEN_MINUTES, *words).stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--name", "nobody"], "there is no such item"),
        (
            ["--name", "GET /healthz", "--number", 31, "--signal", "traces"],
            "30 of them fit, not 31",
        ),
        (["--span-id", "0"], "there is no such item"),
    ],
)
def test_an_item_that_is_not_there_is_said(words: list[Any], problem: str) -> None:
    assert run("explain", SAMPLE, TEN_MINUTES, *words).stderr == f"reflexarc: {problem}\n"


def test_a_guard_that_holds_shows_why(rules: Any, otlp: Any) -> None:
    file = rules(stated("a", span='name == "a"'), stated("o", span="true", expires="2026-11-24"))

    text = run("explain", file, *otlp(batch(span("a", status="error")))).stdout

    assert "KEPT: errors reads it (a would take it)" in text
    assert "guards hold: what nobody may take away" in text
    assert "true  status.code == STATUS_CODE_ERROR  status.code is 2" in text


def test_of_points_it_is_told_for_how_many_a_condition_holds(rules: Any, otlp: Any) -> None:
    metric = ShortMetric(name="m", points=(ShortPoint(value=1), ShortPoint(value=2)))

    text = run(
        "explain", rules(stated("a", datapoint="value_int == 2")), *otlp(batch(metric))
    ).stdout

    assert "DROPPED by a (1 of 2 points)" in text
    assert "true of 1 of its 2 points" in text


def test_of_many_rules_those_that_do_not_hold_are_counted(rules: Any, otlp: Any) -> None:
    many = [stated(f"r{number}", span=f'name == "{number}"') for number in range(30)]
    errs = stated("errs", span='Len(attributes["n"]) > 1', priority=1)
    file, files = rules(errs, *many), otlp(batch(span("7", attributes={"n": 1})))

    some, everything = (
        run("explain", file, *files).stdout,
        run("explain", file, *files, "--all").stdout,
    )

    assert "r7 (drop, priority 100): holds" in some
    assert "r6 " not in some
    assert "error Len" in some
    assert "29 that do not hold or were not asked: --all shows them" in some
    assert "r6 (drop, priority 100): does not hold" in everything


def test_machines_are_told_the_tree() -> None:
    told = json.loads(run("explain", SAMPLE, TEN_MINUTES, "--json").stdout)

    assert told["decision"] == {"fate": "dropped", "by": "health-checks", "note": ""}
    assert told["item"]["span_id"] == "24083fd22b902f89"
    first = told["rules"][0]["conditions"][0]["tree"]
    assert [each["verdict"] for each in first["and"]] == ["true", "true"]
    assert first["and"][0]["read"] == {'attributes["url.path"]': '"/healthz"'}
    assert told["guards"][0]["conditions"][0]["held"] == 0


def test_an_error_in_a_condition_is_told_to_machines_too(rules: Any, otlp: Any) -> None:
    files = otlp(batch(span("a", attributes={"n": 1})))
    file = rules(stated("a", span='Len(attributes["n"]) > 1'))

    told = json.loads(run("explain", file, *files, "--json").stdout)

    assert told["rules"][0]["conditions"][0]["tree"]["error"] == "int has no length"


def test_an_item_of_the_archive_is_explained(rules: Any, s3: "S3Client") -> None:
    archived(s3, batch(ShortLog(body="ada@example.com")), NOON - timedelta(minutes=5))

    text = run("explain", rules(), "--archive").stdout

    assert 'log record "ada@example.com"' in text
    assert "there is none" in text


# test


def test_the_tests_of_the_sample_pass() -> None:
    result = run("test", TESTS)

    assert result.exit_code == 0
    assert shape(result.stdout)[0] == str(TESTS)
    assert shape(result.stdout)[-1] == "7 passed"


@pytest.fixture
def suite(tmp_path: Path) -> Any:
    def write(*tests: dict[str, Any], **more: Any) -> Path:
        file = tmp_path / "tests.yaml"
        document = {"rules": "telemetry.yaml", "today": date(2026, 11, 24), "tests": list(tests)}
        file.write_text(yaml.safe_dump(document | more, sort_keys=False))
        return file

    return write


def test_a_test_that_fails_shows_both_sides_and_why(rules: Any, suite: Any) -> None:
    rules(stated("a", span='name == "a" and kind == SPAN_KIND_SERVER'))
    trial = {"span": {"name": "a"}, "expect": "dropped by a", "left": 3}

    result = run("test", suite({"name": "it goes", "items": [trial]}))

    assert result.exit_code == 1
    assert shape(result.stdout)[1:] == [
        "FAIL it goes (1 item)",
        "line 6: a 1 ms",
        "expected dropped by a",
        "got kept (no rule that decides holds for it)",
        "expected left 3",
        "got left 0",
        "a (drop, priority 100): does not hold",
        "└── false and",
        '├── true name == "a" name is "a"',
        "└── false kind == SPAN_KIND_SERVER kind is 1",
        "1 failed, 0 passed",
    ]


def test_machines_are_told_what_failed(rules: Any, suite: Any) -> None:
    rules(stated("a", span='name == "a"'))
    trial = {"span": {"name": "a"}, "expect": "kept"}

    (told,) = json.loads(run("test", suite({"name": "t", "items": [trial]}), "--json").stdout)

    assert told["passed"] is False
    assert told["items"] == [
        {
            "test": "t",
            "line": 6,
            "fate": "dropped",
            "by": "a",
            "differs": [{"what": "fate", "expected": "kept", "got": "dropped by a"}],
        }
    ]


def test_a_test_that_is_malformed_is_said_with_its_line(suite: Any) -> None:
    file = suite({"name": "t", "items": [{"span": {}, "expect": "lost"}]})

    result = run("test", file)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}:6:5: tests.0.items.0: expect is one of kept, dropped")


def test_rules_that_are_not_there_are_said(suite: Any, tmp_path: Path) -> None:
    file = suite({"name": "t", "items": [{"span": {}, "expect": "kept"}]}, rules="none.yaml")

    assert run("test", file).stderr == (
        f"reflexarc: {file}: there is no {tmp_path / 'none.yaml'}\n"
    )


def test_a_test_without_a_day_fails_once_its_rule_expired(rules: Any, suite: Any) -> None:
    rules(stated("a", span="true", expires="2026-11-23"))
    case = {"name": "t", "items": [{"span": {}, "expect": "dropped"}]}

    result = run("test", suite(case, today=None))

    assert result.exit_code == 1
    assert "it expired on 2026-11-23" in result.stderr


# suggest


def test_rules_are_suggested_that_a_check_accepts(tmp_path: Path) -> None:
    file = tmp_path / "suggested.yaml"

    result = run("suggest", TEN_MINUTES, "--price-per-gb", 0.5, "-o", file)

    lines = shape(result.stderr)
    assert lines[0] == "SUGGESTED ACTION REMOVES SHARE BYTES $/MONTH"
    assert "health-checks drop 30 spans 23.1 % 6.6 kB $0.02" in lines
    assert "debug-logs drop 30 log records 57.7 % 3.0 kB < $0.01" in lines
    assert lines[-1] == f"written to {file}"
    assert result.stdout == ""
    assert "  # removes 30 of 130 spans (23.1 %), 6.6 kB, 31 MB a month ($0.02)\n" in (
        file.read_text()
    )
    names = [rule["name"] for rule in yaml.safe_load(file.read_text())["rules"]]
    assert names == [
        "health-checks", "debug-logs", "constant-metrics", "http-server-requests-without-pod",
        "http-server-request-duration-without-pod", "short-redis-get",
    ]  # fmt: skip
    assert run("check", file).output.endswith(": fine, 6 rules, 6 of them in shadow\n")


def test_suggested_rules_can_be_piped() -> None:
    document = yaml.safe_load(run("suggest", TEN_MINUTES, "--owner", "me").stdout)

    assert {rule["owner"] for rule in document["rules"]} == {"me"}


def test_what_rules_take_already_is_not_suggested_again() -> None:
    told = json.loads(run("suggest", TEN_MINUTES, "--after", SAMPLE, "--json").stdout)

    names = [each["rule"]["name"] for each in told["rules"]]
    assert names == ["constant-metrics", "short-redis-get"]
    assert told["rules"][0]["saves"] == [
        {
            "signal": "metrics",
            "removed": 5,
            "bytes": told["rules"][0]["saves"][0]["bytes"],
            "bytes_a_month": told["rules"][0]["saves"][0]["bytes_a_month"],
            "usd_a_month": told["rules"][0]["saves"][0]["usd_a_month"],
            "guarded": 0,
            "orphans": 0,
        }
    ]
    assert told["rules"][0]["saves"][0]["usd_a_month"] is not None


def test_where_nothing_is_worth_it_that_is_said_with_what_no_rule_can_mend(otlp: Any) -> None:
    twice = batch(span("a", duration="2s"))

    result = run("suggest", *otlp(twice, twice))

    assert result.stdout == ""
    assert shape(result.stderr)[:3] == [
        "No rule is worth suggesting for what was looked at.",
        "What no rule can mend",
        (
            "1 of 2 spans came twice, with the same ids (53 B): look for an exporter that is set"
            " up twice, or two Collectors on one path"
        ),
    ]


def test_what_guards_keep_is_told_with_the_rule(otlp: Any) -> None:
    probe = {"url.path": "/healthz"}
    spans = batch(
        span("GET", attributes=probe), span("GET", attributes=probe, status="error"),
        span("GET", attributes=probe, span_id="0" * 15 + "1"),
    )  # fmt: skip

    text = run("suggest", *otlp(spans)).stdout

    assert "; guards keep 1 more\n" in text


def test_the_archive_is_suggested_from(s3: "S3Client") -> None:
    archived(s3, batch(ShortLog(severity="DEBUG")), NOON - timedelta(minutes=5))

    assert "debug-logs" in run("suggest", "--archive").stdout

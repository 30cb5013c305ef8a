"""`reflexarc rules check | push | show | rollback | schema | list`, over a stack in memory."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import pytest
import yaml
from typer.testing import CliRunner, Result

from reflexarc.adapters.dynamodb.config_document import TELEMETRY, ConfigDocument
from reflexarc.adapters.dynamodb.telemetry_accounts import TelemetryAccounts
from reflexarc.adapters.dynamodb.telemetry_ledger import DynamoLedger
from reflexarc.adapters.s3.archived_batches import ArchivedBatches
from reflexarc.cli import rules_document
from reflexarc.cli.app import app
from reflexarc.kernel.errors import Rejected, Unavailable
from reflexarc.runtime import telemetry_operator
from reflexarc.runtime.telemetry_operator import TelemetryDeployment
from reflexarc.telemetry.accounting import entry_of
from reflexarc.telemetry.model import Account, RuleCount
from tests.support.aws import aws, dynamodb, make_table
from tests.support.rule_writing import stated

SAMPLES = Path(__file__).parents[3] / "samples" / "rules"
SAMPLE = SAMPLES / "telemetry.yaml"
NOW = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)
A, B = (stated(name, span=f'name == "{name}"') for name in "ab")


@dataclass
class Stack:
    """A deployed stack, and the time there."""

    now: datetime = NOW
    found: list[TelemetryDeployment] = field(default_factory=list)

    @property
    def documents(self) -> ConfigDocument:
        return ConfigDocument(dynamodb(), "incidents", TELEMETRY)

    def push(self, *rules: dict[str, Any], **more: Any) -> int:
        seen = self.documents.live_version()
        return self.documents.push(json.dumps({"rules": rules, **more}), seen, self.now)

    def account(self, hours_ago: float, *counts: RuleCount, received: int = 100) -> None:
        at = self.now - timedelta(hours=hours_ago)
        account = Account(
            signal="traces",
            version=1,
            received=received,
            received_size=received * 1_000_000,
            kept=received - sum(count.removed for count in counts),
            kept_size=0,
            rules=counts,
            guards={"errors": 4},
            redacted={"email": 2},
        )
        entry = entry_of(f"id-{at}", at, account, (), rules=len(counts))
        assert DynamoLedger(dynamodb(), "telemetry").settle(entry, at)


@pytest.fixture(autouse=True)
def stack() -> Iterator[Stack]:
    made = Stack()
    s3 = boto3.client("s3", region_name="eu-west-1")

    def find(name: str, endpoint: str | None) -> TelemetryDeployment:
        del endpoint
        if name != "reflexarc":
            raise Unavailable(f"there is no stack named {name} here")
        return TelemetryDeployment(
            made.documents,
            TelemetryAccounts(dynamodb(), "telemetry"),
            lambda since, until, signals: ArchivedBatches(s3, "bucket", since, until, signals),
        )

    with aws(), pytest.MonkeyPatch.context() as patch:
        for table in ("incidents", "telemetry"):
            make_table(dynamodb(), table)
        patch.setattr(telemetry_operator, "find", find)
        patch.setattr(telemetry_operator, "system_clock", lambda: made.now)
        patch.setattr(rules_document, "system_clock", lambda: made.now)
        patch.setenv("COLUMNS", "160")
        yield made


def run(*words: object, **more: Any) -> Result:
    return CliRunner().invoke(app, ["rules", *map(str, words)], **more)


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(*rules: dict[str, Any], **more: Any) -> Path:
        file = tmp_path / "telemetry.yaml"
        file.write_text(yaml.safe_dump({"rules": list(rules), **more}, sort_keys=False))
        return file

    return write


def shape(line: str) -> str:
    """Return a line of a table without its columns."""
    return " ".join(line.split())


# check


def test_the_sample_is_fine_and_without_a_warning() -> None:
    result = run("check", SAMPLE)

    assert result.output == f"{SAMPLE}: fine, 6 rules, 1 of them in shadow\n"


def test_problems_are_written_as_compilers_write_them(written: Any) -> None:
    file = written(stated("a", span=['name == "a"', 'IsMach(name, "a")']))

    result = run("check", file)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"{file}:8:9: rules.0.filter.traces.span.1: column 1: there is no converter IsMach\n"
        '    IsMach(name, "a")\n'
        "    ^\n"
    )


def test_machines_read_what_people_read(written: Any) -> None:
    result = run("check", written(stated("a", span="true", expires="2026-01-01")), "--json")

    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem["place"] == ["rules", 0, "expires"]
    assert problem["problem"].startswith("it expired on 2026-01-01")


def test_one_rule_is_counted_as_one(written: Any) -> None:
    assert run("check", written(A)).output.endswith(": fine, 1 rule\n")
    assert run("check", written()).output.endswith(": fine, 0 rules\n")


def test_the_schema_holds_for_the_sample() -> None:
    schema = json.loads(run("schema").stdout)
    document = json.loads(json.dumps(yaml.safe_load(SAMPLE.read_text()), default=str))

    jsonschema.validate(document, schema)


# push, show, rollback


def test_a_push_shows_what_it_changes_and_asks(written: Any, stack: Stack) -> None:
    stack.push(A, B)

    result = run("push", written(A | {"priority": 7}, stated("c", span="true")), "--yes")

    assert result.exit_code == 0
    assert result.output == (
        "against version 1:\n"
        "  ~ changed rule a (priority)\n"
        "  + added rule c\n"
        "  - removed rule b\n"
        "version 2 is live\n"
    )
    assert stack.documents.live_version() == 2


def test_nobody_is_asked_where_nobody_is(written: Any, stack: Stack) -> None:
    result = run("push", written(A))

    assert result.exit_code == 1
    assert result.stderr == "reflexarc: nobody is there to be asked: say --yes\n"
    assert "against nothing: none was pushed yet" in result.stdout
    assert stack.documents.live_version() == 0


@pytest.mark.parametrize(("answer", "version"), [("y\n", 1), ("n\n", 0)])
def test_a_person_is_asked(
    written: Any, stack: Stack, monkeypatch: pytest.MonkeyPatch, answer: str, version: int
) -> None:
    monkeypatch.setattr(rules_document, "somebody_is_there", lambda: True)

    result = run("push", written(A), input=answer)

    assert "Put it in force?" in result.output
    assert stack.documents.live_version() == version
    assert result.exit_code == (0 if version else 1)


def test_a_document_with_problems_is_not_pushed(written: Any, stack: Stack) -> None:
    blinds = stated("a", log_record='IsMatch(body, "Xid")')

    result, for_machines = (run("push", written(blinds), *more) for more in ((), ("--json",)))

    assert result.exit_code == for_machines.exit_code == 1
    assert "this would blind pages of GPU faults" in result.stderr
    assert json.loads(for_machines.stdout)["version"] is None
    assert stack.documents.live_version() == 0


def test_what_differs_in_nothing_is_not_pushed_again(written: Any, stack: Stack) -> None:
    run("push", written(A), "--yes")

    result = run("push", written(A), "--yes")

    assert result.output == "nothing differs from version 1, which is live\n"
    assert stack.documents.live_version() == 1


def test_what_somebody_else_pushed_meanwhile_is_not_overwritten(
    written: Any, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def agrees_late() -> bool:
        stack.push(B)
        return True

    monkeypatch.setattr(rules_document, "_agreed", agrees_late)

    result = run("push", written(A))

    assert result.exit_code == 1
    assert "is not version 0 any more" in result.stderr
    assert json.loads(stack.documents.live()[1]) == {"rules": [B]}  # type: ignore[index]


def test_a_push_for_machines_tells_all(written: Any) -> None:
    told = json.loads(run("push", written(A), "--json").stdout)

    assert told["version"] == 1
    assert told["changes"] == [{"kind": "added", "name": "rule a", "parts": []}]


def test_many_changes_are_told_in_part(written: Any) -> None:
    rules = [stated(f"r{number}", span=f'name == "{number}"') for number in range(60)]

    assert "  and 20 more\n" in run("push", written(*rules), "--yes").output


def test_a_document_in_force_that_nobody_can_read_is_replaced(written: Any, stack: Stack) -> None:
    stack.documents.push("{half of it", 0, NOW)

    assert "added rule a" in run("push", written(A), "--yes").output


def test_what_is_live_is_shown(written: Any) -> None:
    assert run("show").stderr == "reflexarc: nothing was pushed: everything is kept\n"
    run("push", written(A), "--yes")
    run("push", written(B), "--yes")

    assert yaml.safe_load(run("show").stdout) == json.loads(run("show", "--json").stdout)
    assert json.loads(run("show", "--version", 1, "--json").stdout) == {"rules": [A]}
    assert run("show", "--version", 9).stderr == "reflexarc: there is no version 9\n"


def test_a_rollback_is_instant_and_a_version_of_its_own(stack: Stack) -> None:
    stack.push(A)
    stack.push(B)

    back, forth = run("rollback"), run("rollback", 2, "--json")

    assert back.output == "version 1 is live again, as version 3\n"
    assert json.loads(forth.stdout) == {"version": 4, "of": 2}
    assert json.loads(stack.documents.version(3) or "") == {"rules": [A]}
    assert json.loads(stack.documents.version(4) or "") == {"rules": [B]}


def test_a_rollback_tells_what_expired_meanwhile(stack: Stack) -> None:
    stack.push(A | {"expires": "2026-11-23"}, B)
    stack.push(B)

    assert run("rollback").stderr == "expired meanwhile, and doing nothing: a\n"


def test_a_rollback_to_nothing_is_refused(stack: Stack) -> None:
    assert run("rollback").stderr == "reflexarc: there is no version before the live one\n"
    stack.push(A)
    assert run("rollback").stderr == "reflexarc: there is no version before the live one\n"
    assert run("rollback", 5).stderr == (
        "reflexarc: there is no version 5 of the telemetry document\n"
    )


def test_a_rollback_to_what_functions_would_refuse_is_refused(stack: Stack) -> None:
    stack.documents.push(json.dumps({"rules": [A | {"action": "forget"}]}), 0, NOW)
    stack.push(A)

    assert "rules.0.action" in run("rollback").stderr
    assert stack.documents.live_version() == 2


def test_an_unknown_stack_is_one_readable_line() -> None:
    result = run("show", "--stack", "other")

    assert (result.exit_code, result.stderr) == (
        1, "reflexarc: there is no stack named other here\n",
    )  # fmt: skip


# list


def test_no_rules_are_said() -> None:
    assert run("list").output == "No rules: everything is kept.\n"


def count(name: str, removed: int, **more: int) -> RuleCount:
    return RuleCount(rule=name, action="drop", matched=removed, removed=removed, **more)


def test_rules_are_listed_with_whose_they_are_and_what_they_saved(stack: Stack) -> None:
    backend = {"name": "b", "endpoint": "https://otlp.example", "usd_per_gb": "0.5"}
    rules = [
        A,
        stated("keeps", "keep", span='name == "k"', priority=1),
        stated("tries", span='name == "t"', shadow=True, expires="2026-12-01"),
        stated("over", span='name == "o"', expires="2026-11-20", owner="old@example.com"),
    ]
    stack.push(*rules, backends=[backend])
    stack.account(1, count("a", 30, size=2_000_000_000, errors=3))
    stack.account(50, count("a", 12, size=1_000_000_000), count("tries", 0, shadowed=7))
    stack.account(24 * 9, count("a", 1_000, size=1))

    lines = run("list").output.splitlines()
    by_name = {line.split()[0]: line for line in lines if line.strip()}

    assert shape(lines[0]) == "RULE OWNER ACTION STATE EXPIRES GONE 24 H GONE 7 D SAVED 7 D $ 7 D"
    assert [line.split()[0] for line in lines[1:5]] == ["keeps", "a", "tries", "over"]
    assert shape(by_name["a"]) == "a sre@example.com drop live 127 d 30 42 3.0 GB $1.50 ██████████"
    assert shape(by_name["keeps"]) == "keeps sre@example.com keep live 127 d - - - -"
    assert shape(by_name["tries"]) == "tries sre@example.com drop shadow 7 d - (7) - -"
    assert shape(by_name["over"]) == "over old@example.com drop expired 4 d ago - - - -"
    assert "Version 1, 2 live, 1 in shadow, 1 expired." in lines
    assert "In 7 days 200 items came, 42 went (21.0 %), 3.0 GB saved of 200 MB." in lines
    assert "In 7 days errors in conditions: a 3." in lines
    assert "In 7 days kept by guards: errors 8." in lines
    assert "In 7 days redacted: email 4." in lines


def test_a_narrow_list_has_the_owner_below_the_name(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stack.push(A | {"expires": "2026-11-24"})

    lines = run("list").output.splitlines()

    assert shape(lines[0]) == "RULE ACTION STATE EXPIRES GONE 7 D SAVED 7 D $ 7 D"
    assert shape(lines[1]) == "a drop live today - - -"
    assert lines[2].strip() == "sre@example.com"


def test_rules_are_listed_as_asked_for(stack: Stack) -> None:
    stack.push(A, B | {"expires": "2026-12-31"})
    stack.account(1, count("a", 1, size=1), count("b", 1, size=9, errors=2))

    def names(*words: str) -> list[str]:
        listed = run("list", "--json", *words).stdout.splitlines()
        return [json.loads(line)["rule"] for line in listed]

    assert names() == ["a", "b"]
    assert names("--sort", "saved") == ["b", "a"]
    assert names("--sort", "expires") == ["b", "a"]


def test_machines_are_told_the_sums(stack: Stack) -> None:
    stack.push(A)
    stack.account(30, count("a", 3, size=5))

    (told,) = map(json.loads, run("list", "--json").stdout.splitlines())

    assert (told["state"], told["expires_in_days"], told["version"]) == ("live", 127, 1)
    assert told["last_24_h"]["removed"] == 0
    assert told["last_7_d"] == {
        "matched": 3, "removed": 3, "size": 5, "emitted": 0, "shadowed": 0, "guarded": 0,
        "errors": 0, "usd": None,
    }  # fmt: skip


def test_rules_that_were_counted_together_are_told(stack: Stack) -> None:
    stack.push(A)
    stack.account(1, count("(other rules)", 3, size=5))

    assert "3 items went by rules that were counted together." in run("list").output


def test_the_deployment_refuses_what_functions_would(stack: Stack) -> None:
    deployed = telemetry_operator.find("reflexarc", None)

    with pytest.raises(Rejected, match="rules"):
        deployed.push('{"rules": [{}]}', 0)
    assert stack.documents.live_version() == 0


def test_what_a_plain_installation_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("reflexarc.cli.rules")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "reflexarc.cli.rules_document", None)

    result = run("check", SAMPLE)

    assert result.exit_code == 1
    assert result.stderr == (
        "reflexarc: `rules` needs reflexarc.cli.rules_document:"
        " pip install 'reflexarc[telemetry]'\n"
    )

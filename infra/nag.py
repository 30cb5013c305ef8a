"""Hold the app against cdk-nag's AwsSolutions rules; every exception states its reason.

`python -m infra.nag` prints what is left and exits 1 when anything is. The suppressions live here
and not in the stack, so that the template stays free of their metadata.
"""

import sys
import tempfile

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NagPackSuppression, NagSuppressions

from infra.app import STACK_NAME, build

# One line a rule: id, reason, and what exactly is excepted (None: every finding of the rule).
_EXCEPTIONS: tuple[tuple[str, str, tuple[str, ...] | None], ...] = (
    (
        "AwsSolutions-SMG4",
        "Vendors issue these tokens to a person; there is no API that a rotation could call.",
        None,
    ),
    (
        "AwsSolutions-L1",
        "The layers are built for CPython 3.13 (docs/adr); the runtime moves with them.",
        None,
    ),
    (
        "AwsSolutions-DDB3",
        "The fleet table is written anew every minute by the fleet; an old copy is worthless.",
        None,
    ),
    (
        "AwsSolutions-IAM5",
        "Objects have names of their own; each grant is held to one prefix of one bucket.",
        tuple(
            f"Resource::<TelemetryBucket.Arn>/{prefix}/*"
            for prefix in ("inbox", "inbox-direct", "forward", "archive", "dead", "llm-spans")
        ),
    ),
    (
        "AwsSolutions-S1",
        "Who must know who read telemetry turns CloudTrail's data events on; logs tell less.",
        None,
    ),
)
# One line a resource: its path, the rule, and the reason.
_EXCEPTIONS_AT: tuple[tuple[str, str, str], ...] = (
    (
        "/reflexarc/TelemetryQueue/Resource",
        "AwsSolutions-SQS4",
        "The demand stands behind a condition, which this rule does not see through.",
    ),
)
_FAILING = frozenset({"error", "warning"})


def findings() -> list[str]:
    """Return what the rules object to, one line each."""
    with tempfile.TemporaryDirectory() as outdir:
        app = build(STACK_NAME, outdir)
        stack = app.node.find_child("reflexarc")
        assert isinstance(stack, cdk.Stack)  # noqa: S101 - narrows jsii's IConstruct
        NagSuppressions.add_stack_suppressions(
            stack,
            [
                NagPackSuppression(
                    id=rule, reason=reason, applies_to=list(findings) if findings else None
                )
                for rule, reason, findings in _EXCEPTIONS
            ],
        )
        for path, rule, reason in _EXCEPTIONS_AT:
            NagSuppressions.add_resource_suppressions_by_path(
                stack, path, [NagPackSuppression(id=rule, reason=reason)]
            )
        cdk.Aspects.of(app).add(AwsSolutionsChecks(verbose=True, reports=False))
        messages = app.synth().get_stack_by_name(STACK_NAME).messages
    return [
        f"{message.id}: {message.entry.data}"
        for message in messages
        if str(message.level.value).lower() in _FAILING
    ]


def main() -> int:
    """Print the findings; the exit status says whether there are any."""
    left = findings()
    for finding in left:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"cdk-nag AwsSolutions: {len(left)} findings\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())

"""Who may speak for a node that another sender holds: who is heard, who takes over when. Pure."""

import re
from datetime import timedelta

from reflexarc.events.signal import Signal

# Sessions that are made up anew at each start of an agent say nothing about the machine: botocore's
# for IRSA (botocore/credentials.py, AssumeRoleWithWebIdentity), and EKS Pod Identity's, which is
# "eks-" + cluster + pod + a UUID. An instance id or a certificate's serial number does.
# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
_MADE_UP = re.compile(r"botocore-session-[0-9]+|eks-.+")
MARK = "sent by another session of the role that speaks for this node"
# A forwarder may carry the logs of a whole fleet, so it speaks for no node; a fault that it saw is
# heard all the same, and is the agent's own incident where there is an agent.
WITNESS = "seen in telemetry, which speaks for no node"


SILENT_SAME_ROLE = timedelta(minutes=10)
SILENT_OTHER_ROLE = timedelta(days=1)
# An operator who issued a token for a node has said who speaks for it, and ingest held the token to
# that node: there is nothing to wait for, even where two machines' clocks differ.
_TOKEN = "token:"  # noqa: S105 - the name of a kind of sender
NO_WAIT = timedelta(days=-1)


def patience(holder: str, sender: str) -> timedelta:
    """Return how long a node's holder must be silent before this sender may take the node over.

    A replaced instance speaks under the same role with another session; a fleet seldom changes
    its role.
    """
    if sender.startswith(_TOKEN):
        return NO_WAIT
    same_role = holder.partition(":")[0] == sender.partition(":")[0]
    return SILENT_SAME_ROLE if same_role else SILENT_OTHER_ROLE


def are_kin(holder: str, sender: str) -> bool:
    """Return whether both are sessions of one role that were made up at an agent's start.

    A SenderId is `role id:session`; a user's has no session.
    """
    (role, _, held), (other, _, session) = holder.partition(":"), sender.partition(":")
    return role == other and all(_MADE_UP.fullmatch(name) for name in (held, session))


def faults_of(signals: tuple[Signal, ...], mark: str) -> tuple[Signal, ...]:
    """Return the faults, marked: a page too many beats one too few. A clear needs the holder."""
    return tuple(
        signal.model_copy(update={"marks": (*signal.marks, mark)})
        for signal in signals
        if signal.kind == "fire"
    )

"""What is done with one batch: unpack, redact, decide, archive, hand on, forward. Then an account.

Every step may happen twice: archive and messages are the same again under the same name, and what
backends get twice is counted. The account, which is made last, counts once.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reflexarc.engines.otlp.otlp_json import protobuf_of
from reflexarc.engines.otlp.validity import judged
from reflexarc.events.packed import Encoding
from reflexarc.kernel.errors import Rejected
from reflexarc.telemetry.accounting import Entry, Sent, entry_of
from reflexarc.telemetry.archiving import archived
from reflexarc.telemetry.arriving import Arrival
from reflexarc.telemetry.backends import Forwarding
from reflexarc.telemetry.forwarding import Forwarder, Kept
from reflexarc.telemetry.handing_on import HandingOn
from reflexarc.telemetry.model import Outcome
from reflexarc.telemetry.packing import encoding_of, unpacked
from reflexarc.telemetry.ports import Archive, Payloads, Redactor, Rules
from reflexarc.telemetry.told import Batch

# Of a document, unpacked: parsed it takes ten times its size.
JSON_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The telemetry document in force, compiled. `rules_number`: how many rules it has."""

    version: int
    rules: Rules
    rules_number: int
    redactor: Redactor
    forwarding: Forwarding


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a batch, to be accounted. `invalid`: what of it was no valid telemetry."""

    entry: Entry
    received: int
    removed: int
    handed_on: Mapping[str, int]
    invalid: str = ""


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """A batch in protobuf; `original`: how it came, where that is the same bytes packed."""

    payload: bytes
    original: tuple[Encoding, bytes] | None
    invalid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWork:
    """Does it. `look` is shown metrics, whose cardinality is estimated."""

    payloads: Payloads
    archive: Archive
    handing_on: HandingOn
    forwarder: Forwarder
    look: Callable[[str, bytes, datetime], None]

    def done(self, arrival: Arrival, policy: Policy, *, again: int) -> Done:
        """Return what became of a batch; raises Rejected where it is none, or Unavailable."""
        came = self._unpacked(arrival)
        redacted = policy.redactor.apply(arrival.signal, came.payload, parsed=True)
        payload = redacted.payload
        original = came.original if payload is came.payload else None
        outcome = policy.rules.apply(arrival.signal, payload)
        account = replace(
            outcome.account, redacted=Counter(outcome.account.redacted) + Counter(redacted.counts)
        )
        if policy.forwarding.archive:
            kept = archived(arrival, payload, original, account, redacted.counts)
            self.archive.keep(kept.key, kept.body, kept.facts)
        batch = Batch(
            id=arrival.id,
            signal=arrival.signal,
            payload=payload,
            received_at=arrival.received_at,
            source=arrival.source,
        )
        told = self.handing_on.hand_on(batch, arrival.sender, policy.forwarding.hand_on)
        sent = self._forwarded(arrival, outcome, payload, original, policy, again=again)
        if arrival.signal == "metrics":
            self.look(arrival.id, payload, arrival.received_at)
        entry = entry_of(
            arrival.id,
            arrival.received_at,
            account,
            sent,
            rules=policy.rules_number,
            again=again > 0,
        )
        return Done(
            entry=entry,
            received=account.received,
            removed=account.removed,
            handed_on=told,
            invalid=came.invalid,
        )

    def _unpacked(self, arrival: Arrival) -> _Unpacked:
        """Return a batch in protobuf, of which what is no valid telemetry was taken away."""
        body = self.payloads.read(arrival.place) if arrival.place else arrival.body
        encoding = encoding_of(body) if arrival.direct else arrival.encoding
        plain = unpacked(body, encoding)
        if arrival.judged:
            return _Unpacked(plain, (encoding, body))
        data = plain
        if arrival.direct and plain.lstrip()[:1] == b"{":
            if len(plain) > JSON_MAX:
                raise Rejected(
                    f"the JSON has more than {JSON_MAX:,} bytes: write protobuf, or smaller batches"
                )
            data = protobuf_of(plain, arrival.signal)
        verdict = judged(data, arrival.signal)
        if verdict.rejected and not verdict.items:
            raise Rejected(f"nothing of the batch is valid: {verdict.said}")
        as_it_came = verdict.payload is plain
        return _Unpacked(
            verdict.payload, (encoding, body) if as_it_came else None, invalid=verdict.said
        )

    def _forwarded(
        self,
        arrival: Arrival,
        outcome: Outcome,
        payload: bytes,
        original: tuple[Encoding, bytes] | None,
        policy: Policy,
        *,
        again: int,
    ) -> tuple[Sent, ...]:
        """Send what is kept to every backend that takes the signal; nothing goes nowhere."""
        account = outcome.account
        items = account.kept + sum(rule.emitted for rule in account.rules)
        if not items:
            return ()
        kept = Kept(
            id=arrival.id,
            signal=arrival.signal,
            payload=outcome.payload,
            items=items,
            source=arrival.source,
            received_at=arrival.received_at,
            again=again,
            original=original if outcome.payload is payload else None,
        )
        return tuple(
            self.forwarder.send(kept, backend) for backend in policy.forwarding.to(arrival.signal)
        )

"""From the outbox to people: ordered, coalesced, rate-limited, never twice."""

"""The messages between the parts; unknown fields are kept. Source of `events/schemas`."""

"""The messages between the parts. Unknown fields are kept; `events/schemas` is generated from here."""

"""One suite a port: every adapter of it keeps the same promises."""

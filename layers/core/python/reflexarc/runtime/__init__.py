"""The composition root: settings, observability, wiring. The only part that knows every other."""

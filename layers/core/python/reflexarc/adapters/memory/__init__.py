"""Ports filled in memory, for tests and dry runs, held to the same suites as the real ones."""

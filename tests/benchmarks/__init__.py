"""Benchmarks: `python -m tests.benchmarks [name ...]` prints and keeps JSON lines."""

"""Finds telemetry that is expensive and that nobody reads, and writes the rules against it."""

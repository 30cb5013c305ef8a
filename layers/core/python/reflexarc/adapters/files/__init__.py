"""Reads telemetry that people keep in files."""

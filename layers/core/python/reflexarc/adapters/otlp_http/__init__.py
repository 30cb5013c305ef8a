"""Adapters of OTLP over HTTP: the backends that telemetry goes on to."""

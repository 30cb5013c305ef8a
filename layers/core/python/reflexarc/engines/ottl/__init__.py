"""OTTL conditions, as the OpenTelemetry Collector's filter processor speaks them."""

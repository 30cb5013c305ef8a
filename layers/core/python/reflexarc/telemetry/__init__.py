"""What becomes of telemetry: rules, guards, sampling, aggregation, and an exact account of it."""

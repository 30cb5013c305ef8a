"""OTLP as bytes: framing, schemas that read only what is asked for, cutting without decoding."""

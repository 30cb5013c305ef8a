"""Adapters of Amazon S3: what is too large for a message."""

"""Redaction: what must not leave, found and replaced; fails closed."""

"""Webhooks of anybody: JSON, signed, over https."""

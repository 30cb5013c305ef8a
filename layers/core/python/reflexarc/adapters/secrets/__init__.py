"""Vendor secrets: read late, cached briefly, never shown."""

"""Builders and small programs that tests share."""

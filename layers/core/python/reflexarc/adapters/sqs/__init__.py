"""Ports filled by SQS queues."""

"""Slack, PagerDuty and a webhook as one loopback process that enforces limits and schemas.

For the demo, the tests and the benchmarks: no message leaves the machine. See README.md.
"""

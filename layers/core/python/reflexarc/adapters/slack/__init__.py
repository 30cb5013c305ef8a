"""Slack: the Web API by bot token, an incoming webhook as the fallback."""

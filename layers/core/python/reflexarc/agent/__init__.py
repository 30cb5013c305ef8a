"""The edge agent: reads a node's kernel log and says at once what broke."""

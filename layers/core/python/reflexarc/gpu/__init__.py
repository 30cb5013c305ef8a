"""From a kernel line to a signal: parse, look up, judge."""

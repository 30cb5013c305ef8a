"""From signals to incidents: one per broken thing, each change recorded once and told once."""

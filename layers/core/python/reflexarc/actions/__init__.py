"""What people press: a click is verified, counts once, and becomes an action for a queue."""

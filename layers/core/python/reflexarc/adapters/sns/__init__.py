"""SNS: a topic that anybody in the account may subscribe to."""

"""Rules compiled to a plan that looks only at the items which a rule can match (docs/adr/025)."""

"""HTTP for the vendors: one pool, strict time limits, errors sorted by what the caller must do."""

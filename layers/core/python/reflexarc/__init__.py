"""GPU and AI signals in, one honest page out."""

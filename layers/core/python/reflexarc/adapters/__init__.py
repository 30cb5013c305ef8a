"""The outside world: one file per port and technology; its first line says which port it fills."""

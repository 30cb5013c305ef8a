"""Thermal, wear and link rules over what sensors read at 1 Hz: pure, replayable anywhere."""

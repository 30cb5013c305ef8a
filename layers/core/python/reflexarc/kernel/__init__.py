"""What every part may use: errors, ids, time. No I/O, no cloud."""

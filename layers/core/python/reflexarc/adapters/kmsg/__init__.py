"""The kernel's own log, read from /dev/kmsg as records with sequence number and facility."""

"""What the kernel shows of its ports under /sys."""

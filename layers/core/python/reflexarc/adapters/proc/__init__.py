"""What the kernel shows of the node under /proc."""

"""Whose work runs on a GPU: processes, Slurm, Kubernetes, and what the node remembers."""

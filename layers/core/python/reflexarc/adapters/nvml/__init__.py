"""NVML, the NVIDIA management library, through nvidia-ml-py: a sensor and a second witness."""

"""The DCGM exporter's page, read as a second view of the GPUs."""

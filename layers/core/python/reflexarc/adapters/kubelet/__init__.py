"""The kubelet: which pod holds which device."""

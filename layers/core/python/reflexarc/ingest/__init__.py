"""Lets nodes without a queue of their own hand messages over by HTTPS: who may, and what passes."""

"""Lies, by name."""

LIES = {}

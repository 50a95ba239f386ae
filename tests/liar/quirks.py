"""Quirks, by name."""

QUIRKS = {}

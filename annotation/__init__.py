"""Drawings on pictures."""

"""Scenarios: the whole product against the whole sandbox."""

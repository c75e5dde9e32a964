"""Crashes and faults with real processes over HTTP: everything with CHAOS=full, a seeded tenth otherwise."""

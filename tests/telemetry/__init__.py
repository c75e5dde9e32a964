"""What the reconciler tells of itself, read back with the real SDK in memory."""

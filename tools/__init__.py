"""What `make` runs that is neither product nor sandbox."""

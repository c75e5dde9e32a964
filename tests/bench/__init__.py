"""Speed against the limits: `make bench`. Not collected by pytest."""

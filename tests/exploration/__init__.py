"""Every interleaving of a small world that wakes one cluster, driven by the product's own protocol."""

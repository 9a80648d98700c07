"""A provider lab: behaves as the vendors do, on loopback, and counts every charge."""

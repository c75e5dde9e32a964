"""The outside systems, one module each; nothing else in the package imports their SDKs."""

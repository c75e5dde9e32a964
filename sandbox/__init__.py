"""A small local Azure with Kubernetes clusters in it, all over HTTP(S) on 127.0.0.1."""

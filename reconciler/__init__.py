"""Keeps Azure Private Link Services in line with the annotations of Kubernetes Services."""

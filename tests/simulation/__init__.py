"""Simulation: the whole daemon on simulated time, network, threads and disk.

``python -m tests.simulation`` runs histories; docs/architecture.md says how to read a failure, and
how to add an operation, a fault or an invariant.
"""

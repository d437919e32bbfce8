"""The stdio client."""

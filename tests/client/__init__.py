"""Tests of the client: its library, and its programs for the command line."""

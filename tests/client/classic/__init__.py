"""Tests of the client of the classic protocol."""

"""Tests that need a real server: `make test-engines`."""

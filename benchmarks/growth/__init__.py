"""What grows with an index: `python -m benchmarks.growth`, see docs/growth.md."""

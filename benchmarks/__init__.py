"""askai beside what people would use in its place, measured in one run: `make bench`.

Not part of the package. `command.py` is the command, `plan.py` the order of the measurements,
`systems/` what is measured; docs/benchmarks.md tells how and shows the last figures.
"""

"""What tiercache costs, measured next to its rivals; `python -m benchmarks` is all of it."""

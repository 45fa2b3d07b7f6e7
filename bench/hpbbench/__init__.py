"""The benchmarks of `make bench`. One idea per file; bench/README.md has the map."""

"""What chatd costs, beside a bare Twisted relay in the same run. See bench/README.md."""

"""Videos by the newer model families."""

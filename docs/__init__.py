"""The documentation site: hand-written pages, a generated reference, and what builds them."""

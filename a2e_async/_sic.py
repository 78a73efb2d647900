"""Wire words that the service spells its own way, each beside its right spelling (contract 1.11)."""

FAILED_MESSAGE = "faild_message"

"""Parts for other frameworks. Each module needs its own, which an optional extra installs; none is loaded here."""

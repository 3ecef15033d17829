"""The commands behind the figures of the README and docs; part of the repository, not of the wheel."""

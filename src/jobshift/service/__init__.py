"""The page and the JSON API over a finished study, in one process (docs/service.md)."""

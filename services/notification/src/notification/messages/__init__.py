"""Messages: what mails say, a folder each, in every language."""

"""Mails: each is a row first, then sent, then marked."""

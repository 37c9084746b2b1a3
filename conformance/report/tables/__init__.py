"""Rows and counts, before any markup."""

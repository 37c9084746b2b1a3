"""What pages are given, as plain values."""

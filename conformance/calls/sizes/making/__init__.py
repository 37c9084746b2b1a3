"""What a class makes, and what its loops go over, as far as literals and known parameters say it."""

"""How long calls take in two builds, measured side by side: a lane process of each, asked in turn."""

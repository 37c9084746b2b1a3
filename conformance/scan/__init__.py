"""Model files: every transposed convolution of one as a call with its problem, and what is known of it in each lane."""

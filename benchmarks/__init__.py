"""What the harness costs, as ratios against a bare loop over the same native calls in the same run."""

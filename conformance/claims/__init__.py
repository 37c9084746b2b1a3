"""What is written about transposed convolution: the ledger, its checks, the judge."""

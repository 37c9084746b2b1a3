"""What records mean: faults, domains, expectations held against them; the content of the report."""

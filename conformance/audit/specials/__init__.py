"""What lanes make of NaN, infinity, -0, subnormal numbers and answers beyond a dtype: measured, and as it is stated."""

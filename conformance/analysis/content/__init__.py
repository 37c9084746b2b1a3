"""What each page of the report is made of."""

"""Which misreading of a problem gives a wrong array exactly."""

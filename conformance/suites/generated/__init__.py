"""What generated case files hold: the problems of one extreme size, and the calls with two faults."""

"""Operands that every order of summation adds exactly, what rounding may do, how far an answer is off."""

"""The weight of a call: the shape that follows from its arguments, and how the call turns it before it takes it."""

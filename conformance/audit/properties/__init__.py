"""What must hold of a framework whatever the oracle says: the properties, their questions, and how they are put."""

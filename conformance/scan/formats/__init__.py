"""The formats of model files: a module for each. What one needs to read a file is imported there and nowhere else."""

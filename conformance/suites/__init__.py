"""What is tested: cases on file or generated, the arrays expected of them, what is known to fail."""

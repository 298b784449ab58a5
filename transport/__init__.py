"""What is said between two processes, and how it is carried."""

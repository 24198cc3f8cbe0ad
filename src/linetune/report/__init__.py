"""What people see: progress and tables in the terminal."""

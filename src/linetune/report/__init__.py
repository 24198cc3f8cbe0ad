"""What people see: progress, tables, pages and pictures."""

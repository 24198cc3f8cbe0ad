"""Labels settled by a person, on a page in the browser."""

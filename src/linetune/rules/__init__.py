"""Rules: regular expressions that the texts of a task follow. Texts are drawn from them, crops are read by
them, and labels propose them."""

"""Write a run file from labels: splits, rule, charset and fonts, with a reason for each decision."""

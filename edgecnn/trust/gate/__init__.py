"""The gate: whether a model file keeps to the budgets of a policy, with the evidence."""

"""int8 within a budget: free methods first, then the most sensitive layers stay in float, as few as the budget needs."""

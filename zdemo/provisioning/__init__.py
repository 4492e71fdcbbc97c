"""Setup: look at what exists, plan, apply, verify; and tear down what setup created."""

"""One module for each kind of symptom: from the evidence to the causes."""

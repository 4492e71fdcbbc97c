"""What is asked of ZITADEL and of the API to explain one symptom."""

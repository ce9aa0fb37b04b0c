"""Running a plan: jobs, what each was made from, what they cost, and who runs them."""

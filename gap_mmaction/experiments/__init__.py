"""The tables of the paper as experiments: what to run, running it, and the results."""

"""The parts of run.py: what is measured, in which environments, and the table of it."""

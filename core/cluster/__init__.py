"""Runs trained by a Slurm cluster: what is asked of it, how it is handed a run, and what it says of one."""

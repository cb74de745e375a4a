"""What the files of a run folder hold: the status, the rows of figures, the log; and what in them is damage."""

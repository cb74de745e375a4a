"""The queue of one machine: in which order waiting runs train, how many at a time, and the wait for one's turn."""

"""Where lines come from: the kernel's log, a file that is followed, standard input."""

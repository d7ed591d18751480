"""One module a command, each with a click command called `command`; imported from the table in `xencheck.cli`."""

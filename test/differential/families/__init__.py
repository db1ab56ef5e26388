"""What the grammar knows of each family of commands: a module has a TABLE of its
commands, KEYS by their kinds, and a class with the arguments that only it needs."""

"""The one exception for problems that a user can mend."""


class JobshiftError(Exception):
    """A problem in a file, a config or the environment.

    The message is one sentence that names the file, row or key and says what to do; the command
    line prints it alone, without a traceback, and ends with exit code 1.
    """

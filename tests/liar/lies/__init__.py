"""Every lie the server can tell, one small class each, by the name it has on the command line.

Lies about NEGOTIATE and SESSION_SETUP are told when the client connects.  The others wait for the
command in `at` (READ unless the class says otherwise), so that a mount stands and one operation
meets the lie.
"""

from . import body, directory, header, negotiate, seal, setup
from .base import LIES

__all__ = ['LIES', 'body', 'directory', 'header', 'negotiate', 'seal', 'setup']

"""The exceptions of the package, independent of HTTP.

Each is raised once, where the error is found, with a message that says what to change.
"""

import json
from collections.abc import Mapping, Sequence

FieldErrors = Mapping[str, Mapping[str, Sequence[str]]]

# The limit of threads or of memory is reached.
NO_THREAD = "The service has no thread to spare; try again in a moment"


class LensError(Exception):
    """An error whose ``message`` is for users; it never contains text of the driver, a DSN or the environment.

    ``reason`` is an addition for the terminal of an operator, which also contains no such text.
    """

    reason: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(LensError):
    """The settings are unusable; the message names the file, the key and what is expected there."""


class InvalidParameterError(LensError):
    """A parameter of a request is invalid; ``errors`` maps location to parameter to messages."""

    def __init__(self, message: str, errors: FieldErrors | None = None) -> None:
        super().__init__(message)
        self.errors = errors


class UnknownClusterError(InvalidParameterError):
    """No cluster has the name ``requested``.

    ``known`` are the names of all clusters, not all of which a caller may see.
    """

    def __init__(self, requested: str, known: Sequence[str]) -> None:
        super().__init__(f"Unknown cluster {json.dumps(requested, ensure_ascii=False)}")
        self.known = known

    def listing(self, visible: Sequence[str], parameter: str = "cluster") -> InvalidParameterError:
        """Return the error of ``parameter`` with those of the names in its message that the caller may see."""
        message = f"{self.message}; expected one of {', '.join(visible)}" if visible else self.message
        return InvalidParameterError(message, {"query": {parameter: [message]}})


class UnauthorizedError(LensError):
    """A request without a valid token; ``was_given`` is true if it had an invalid one."""

    def __init__(self, message: str, *, was_given: bool) -> None:
        super().__init__(message)
        self.was_given = was_given


class TokensUnavailableError(LensError):
    """Tokens cannot be checked: the token file is bad, and its last valid content is lost."""


class ForbiddenError(LensError):
    """The token is valid, but not for the requested cluster."""


class ResultTooLargeError(LensError):
    """The result exceeds a limit; the message names the parameters that make it fit."""


class MetricLeftOutError(ResultTooLargeError):
    """The columnar copy of the workload leaves out a requested metric, because there are too many."""


class CopyNotReadyError(LensError):
    """The columnar copy of the workload is still being built; ``share``, if known, is the part done, 0 to 1."""

    def __init__(self, message: str, share: float | None = None) -> None:
        super().__init__(message)
        self.share = share


class CopyDirectoryError(LensError):
    """The directory of columnar copies cannot be used; only commands report this, as requests need no directory."""


class DamagedCopyError(LensError):
    """A columnar copy is damaged; only commands report this, because a request builds it again."""


class DeadlineExceededError(LensError):
    """The query ran past its deadline."""


class ClientLeftError(LensError):
    """The client disconnected before the answer was ready."""


class QueryFailedError(LensError):
    """The database rejected a statement because of a bug in the service."""


class TemporarySpaceError(LensError):
    """A large answer needs a temporary file, and the disk is full or not writable."""


class ClusterError(LensError):
    """A configured cluster cannot answer now; a later request may succeed."""


class ClusterUnreachableError(ClusterError):
    """No connection could be made, or it broke."""


class ClusterSaturatedError(ClusterError):
    """All connections to the cluster, or all threads for it, stayed in use while the request waited."""


class ConnectionLimitError(ClusterError):
    """The cluster has reached its own connection limit."""


class ClusterFailedError(ClusterError):
    """The cluster answers, but could not finish the query; the message names the missing resource."""


class ClusterMisconfiguredError(ClusterError):
    """The cluster answers, but the role, database or table is missing or does not fit."""


class StandardOutputError(LensError):
    """The output of a command cannot be written, as on a full disk."""


class ImportInputError(LensError):
    """The input of an import contains nothing that can be read, or does not fit the options of the command."""

"""Everything that can go wrong, as one family of exceptions that knows nothing of HTTP.

Each is raised once, where the fault is found, with a message that tells the reader what to change.
"""

from collections.abc import Mapping, Sequence

FieldErrors = Mapping[str, Mapping[str, Sequence[str]]]


class LensError(Exception):
    """A fault with a message fit for the user; never holds text of the driver, of a DSN or of the environment."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(LensError):
    """The settings are unusable; the message names the file, the key and what is expected there."""


class InvalidParameterError(LensError):
    """A request names something that cannot be; ``errors`` maps location to parameter to its messages."""

    def __init__(self, message: str, errors: FieldErrors | None = None) -> None:
        super().__init__(message)
        self.errors = errors


class UnauthorizedError(LensError):
    """A request without a valid token, where one is needed; ``was_given`` tells that there was a wrong one."""

    def __init__(self, message: str, *, was_given: bool) -> None:
        super().__init__(message)
        self.was_given = was_given


class TokensUnavailableError(LensError):
    """Whether a token is valid cannot be known now: the token file is bad, and no good content of it is known."""


class ForbiddenError(LensError):
    """The token is valid, but not for what is asked."""


class ResultTooLargeError(LensError):
    """The answer would pass the configured cap; the message names the parameters that make it fit."""


class CopyNotReadyError(LensError):
    """The columnar copy of the workload is still being built; ``share`` of it, 0 to 1, is done, if that is known."""

    def __init__(self, message: str, share: float | None = None) -> None:
        super().__init__(message)
        self.share = share


class DeadlineExceededError(LensError):
    """The query ran past its deadline."""


class ClientLeftError(LensError):
    """The caller closed the connection before the answer was ready: nobody will read what is answered."""


class QueryFailedError(LensError):
    """The database refused a statement for a reason that only a developer can mend."""


class TemporarySpaceError(LensError):
    """A large answer needs a temporary file, for which there is no room now."""


class ClusterError(LensError):
    """A known cluster cannot answer now; asking again later may help."""


class ClusterUnreachableError(ClusterError):
    """No connection could be made, or it broke."""


class ClusterSaturatedError(ClusterError):
    """Every connection to the cluster stayed in use for the whole time a request may wait."""


class ConnectionLimitError(ClusterError):
    """The cluster answers, but has no connection to spare: its own limit is below what the service may open."""


class ClusterFailedError(ClusterError):
    """The cluster answers, but could not finish the query; the message says for want of what."""


class ClusterMisconfiguredError(ClusterError):
    """The cluster answers, but its role, database or table is not what the service needs."""


class ImportInputError(LensError):
    """The input of an import holds nothing that can be read."""

"""The errors of the commands that write to a cluster: what the role may not do, and what to change."""

from collections.abc import Sequence

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.clusters.driver_errors import Rule
from lens_perf.errors import ClusterMisconfiguredError, ClusterUnreachableError

READ_ONLY = Rule(
    ("25006",),
    ClusterMisconfiguredError,
    "The role or the session is read-only in cluster {cluster}: use settings with a role that may write",
)
# After a failover, the DSN may lead to the new primary again: --follow waits for that.
STANDBY = Rule(
    ("25006",),
    ClusterUnreachableError,
    "Cluster {cluster} is a standby, which is read-only: let its DSN lead to the primary, for example with "
    "target_session_attrs=read-write",
)
IMPORT_ERRORS: Sequence[Rule] = (
    READ_ONLY,
    Rule(
        ("42501",),
        ClusterMisconfiguredError,
        "The role may not write to the table of cluster {cluster}: grant it SELECT, INSERT and DELETE on the table, "
        "USAGE on its sequence and TEMPORARY on the database",
    ),
    Rule(
        ("42P01",),
        ClusterMisconfiguredError,
        "Cluster {cluster} has no table training_performance: create it with lens-perf db init --cluster {cluster}",
    ),
)
CREATE_ERRORS: Sequence[Rule] = (
    READ_ONLY,
    Rule(
        ("42501",),
        ClusterMisconfiguredError,
        "The role may not create the table or its indexes in cluster {cluster}: use settings with the owner of the "
        "table, or with a role that may create tables in the schema",
    ),
)


def choose_rules(connection: Connection, rules: Sequence[Rule]) -> Sequence[Rule]:
    """Return ``rules``, with another one for read-only transactions if the server is a standby."""
    is_standby = connection.info.parameter_status("in_hot_standby") == "on"
    return (STANDBY, *rules) if is_standby else rules

-- The table of the Training Performance API with its indexes, and the one index lens_perf recommends on top.
-- Every statement leaves alone what exists, so running the file twice, or on a cluster's own table, changes nothing there.

DO $$
BEGIN
    CREATE TYPE training_data_source AS ENUM ('log', 'wandb', 'tensorflow');
EXCEPTION
    WHEN duplicate_object THEN NULL;
END
$$;

CREATE TABLE IF NOT EXISTS training_performance (
    id           serial PRIMARY KEY,
    pod_uuid     varchar(256),
    performance  jsonb,
    iteration    int,
    created_at   timestamptz,
    serial       int,
    workload_uid varchar(256),
    data_source  training_data_source DEFAULT 'log'
);

-- The table of the Training Performance API. A table that is there, whatever its columns, is left alone.

DO $$
BEGIN
    IF to_regclass('training_performance') IS NULL THEN
        IF to_regtype('training_data_source') IS NULL THEN
            CREATE TYPE training_data_source AS ENUM ('log', 'wandb', 'tensorflow');
        END IF;
        CREATE TABLE training_performance (
            id           serial PRIMARY KEY,
            pod_uuid     varchar(256),
            performance  jsonb,
            iteration    int,
            created_at   timestamptz,
            serial       int,
            workload_uid varchar(256),
            data_source  training_data_source DEFAULT 'log'
        );
    END IF;
END
$$;

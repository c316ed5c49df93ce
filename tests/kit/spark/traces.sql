(
    timestamp TIMESTAMP,
    trace_id STRING,
    span_id STRING,
    parent_span_id STRING,
    service_name STRING,
    operation_name STRING,
    span_kind STRING,
    duration_ms DOUBLE,
    status_code INT,
    status_message STRING,
    attributes MAP<STRING, STRING>,
    resource_attributes MAP<STRING, STRING>,
    events ARRAY<STRUCT<
        timestamp: TIMESTAMP,
        name: STRING,
        attributes: MAP<STRING, STRING>
    >>
) USING iceberg
PARTITIONED BY (days(timestamp), service_name)
TBLPROPERTIES (
    'write.format.default' = 'parquet',
    'write.parquet.compression-codec' = 'zstd',
    'write.target-file-size-bytes' = '134217728',
    'write.metadata.delete-after-commit.enabled' = 'true',
    'write.metadata.previous-versions-max' = '100'
)

CREATE EXTERNAL TABLE redshift_audit_log (line string)
PARTITIONED BY (region string, day string)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' LINES TERMINATED BY '\n'
STORED AS TEXTFILE
LOCATION 's3://<bucket>/AWSLogs/<account>/redshift/'
TBLPROPERTIES (
    'projection.enabled' = 'true',
    'projection.region.type' = 'enum',
    'projection.region.values' = '<region>',
    'projection.day.type' = 'date',
    'projection.day.format' = 'yyyy/MM/dd',
    'projection.day.range' = '2013/01/01,NOW+1DAYS',
    'projection.day.interval' = '1',
    'projection.day.interval.unit' = 'DAYS',
    'storage.location.template' = 's3://<bucket>/AWSLogs/<account>/redshift/${region}/${day}/'
)
-- The table that source audit_log_s3 reads: the files that Redshift's audit logging delivers to S3, a row for each
-- line. Replace <bucket> (and, where audit logging has a key prefix, write <bucket>/<prefix>), <account> and <region>,
-- and run it once in Athena, in the database that the connection's schema field names. Days need no crawler and no
-- MSCK: Athena derives them from the properties below.
